// Writes key-order.bin beside this file: every assigned code point but the surrogates and those for private use, in the
// order in which this Node compares them (`localeCompare` in en-US).
//
// The file is of runs. Each is two numbers, seven bits a byte, the lowest first, the highest bit set on all but the last:
// how far it begins after the end of the run before (doubled, or doubled less one and negative), and twice how many code
// points follow the first, plus one if all of them, the first included, compare equal to what is before them.
//
// node key-order.js   (Node 20.20.2: ICU 78.2, CLDR 48, Unicode 17)

const { writeFileSync } = require("node:fs");
const { join } = require("node:path");

const { compare } = new Intl.Collator("en-US");
const assigned = [];
for (let code = 0; code < 0x110000; code++) {
  const text = String.fromCodePoint(code);
  if (!/[\p{Cn}\p{Co}\p{Cs}]/u.test(text)) assigned.push({ code, text });
}
assigned.sort((a, b) => compare(a.text, b.text) || a.code - b.code);

const runs = [];
assigned.forEach(({ code, text }, at) => {
  const equal = at > 0 && compare(assigned[at - 1].text, text) === 0;
  const last = runs.at(-1);
  if (last && code === last.first + last.count && equal === last.equal) last.count++;
  else runs.push({ first: code, count: 1, equal });
});

const bytes = [];
const write = (number) => {
  for (; number >= 0x80; number >>>= 7) bytes.push((number & 0x7f) | 0x80);
  bytes.push(number);
};
let end = 0;
for (const { first, count, equal } of runs) {
  const distance = first - end;
  write(distance >= 0 ? distance * 2 : -distance * 2 - 1);
  write((count - 1) * 2 + equal);
  end = first + count;
}
writeFileSync(join(__dirname, "key-order.bin"), Buffer.from(bytes));
console.log(`${assigned.length} code points, ${runs.length} runs, ICU ${process.versions.icu}`);

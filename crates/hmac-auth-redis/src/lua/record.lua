-- One record of a credential hash: read, merged and written as `CredentialChange::merge` does it in Rust (wire contract
-- 1.4 and 1.5). The JSON is put together by hand: cjson turns an empty list into {} and rounds large numbers.

local function is_hash(text)
  return type(text) == 'string' and #text == 64 and not string.find(text, '[^0-9a-f]')
end

-- The decimal text of an integer field; a fraction is cut off. Beyond 2^53 a Lua number has lost digits, so the record's
-- own digits are taken.
local function integer(raw, name, value, beyond)
  if value > -9007199254740992 and value < 9007199254740992 then
    local whole = value >= 0 and math.floor(value) or math.ceil(value)
    if whole == 0 then return '0' end
    return string.format('%.0f', whole)
  end
  local digits = string.match(raw, '"' .. name .. '"%s*:%s*(%-?%d+)%s*[,}]')
  if digits and tonumber(digits) == value then return digits end
  return beyond
end

-- The rules as JSON text. What is there and is no list stays a list without a good rule: it denies.
local function rules_of(raw, value)
  if value == nil or value == cjson.null then return '[]' end
  if type(value) ~= 'table' or string.find(raw, '"allowedIps"%s*:%s*{') then
    return '["not a list"]'
  end
  local rules = {}
  for i, rule in ipairs(value) do
    rules[i] = string.gsub(cjson.encode(rule), '\\/', '/')
  end
  return '[' .. table.concat(rules, ',') .. ']'
end

-- What is stored, as texts ready to be written again. Without `hash` it is corrupt; what can still be read of it is kept,
-- so that mending the hash does not open an allow-list.
local function read_record(raw)
  local bare = string.match(raw, '^%s*(.-)%s*$')
  if is_hash(bare) then
    return { hash = bare, created = '0', expires = 'null', rules = '[]' }
  end
  local ok, value = pcall(cjson.decode, raw)
  if not ok or not string.find(raw, '^%s*{') then
    return { expires = 'null', rules = '[]' }
  end
  local record = { created = '0', expires = 'null', rules = rules_of(raw, value.allowedIps) }
  if is_hash(value.secretHash) then record.hash = value.secretHash end
  if type(value.createdAt) == 'number' then
    record.created = integer(raw, 'createdAt', value.createdAt, '0')
  end
  if type(value.expiresAt) == 'number' then
    record.expires = integer(raw, 'expiresAt', value.expiresAt, '9007199254740991')
  end
  return record
end

-- Merges a change into what is stored. `hash` and `rules` are '' to keep, `expires` is 'keep'.
-- Answers the new JSON and the record before it, or nil and a reason.
local function merge(raw, now, hash, expires, rules)
  local record = raw and read_record(raw) or { expires = 'null', rules = '[]' }
  if hash == '' then
    if not raw then return nil, 'missing' end
    if not record.hash then return nil, 'corrupt' end
    hash = record.hash
  end
  if expires == 'keep' then expires = record.expires end
  if rules == '' then rules = record.rules end
  return '{"secretHash":"' .. hash .. '","createdAt":' .. (record.created or now) .. ',"updatedAt":' .. now
    .. ',"expiresAt":' .. expires .. ',"allowedIps":' .. rules .. '}', record.hash, hash
end

-- Writes the record and, when the hash changes, keeps the one it replaces for a while. The write that a full memory
-- refuses comes first, so that nothing is done by halves. When it was replaced stands beside it.
local function store(clients, backup, rotated, id, json, old, new, now, backup_ms)
  redis.call('HSET', clients, id, json)
  if old == new then return end
  if old and backup_ms ~= '0' then
    redis.call('SET', backup, old, 'PX', backup_ms)
    redis.call('SET', rotated, now .. ':' .. string.sub(old, 1, 16), 'PX', backup_ms)
  else
    redis.call('DEL', backup, rotated)
  end
end

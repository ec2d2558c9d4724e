-- KEYS: clients, backup, rotated   ARGV: id, condition, now, backup ms, hash, expires, rules
local raw = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == 'absent' and raw then return { 'exists' } end
if ARGV[2] == 'present' and not raw then return { 'missing' } end
local json, old, new = merge(raw, ARGV[3], ARGV[5], ARGV[6], ARGV[7])
if not json then return { old } end
store(KEYS[1], KEYS[2], KEYS[3], ARGV[1], json, old, new, ARGV[3], ARGV[4])
return { 'written', json }

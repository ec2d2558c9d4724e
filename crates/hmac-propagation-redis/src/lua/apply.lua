-- One apply event (propagation wire 2.3, steps 5 and 6): compare the cursor, write the credential, move the cursor.
-- KEYS: cursor, clients, backup, rotated   ARGV: client id, ts, event id, operation, now, backup ms, hash, expires, rules

-- Lua compares strings by locale; ids are compared by their bytes.
local function is_before(one, other)
  for i = 1, math.min(#one, #other) do
    local a, b = string.byte(one, i), string.byte(other, i)
    if a ~= b then return a < b end
  end
  return #one < #other
end

-- Decimal integers as texts: a Lua number is not exact beyond 2^53.
local function is_less(one, other)
  if #one < 16 and #other < 16 then return tonumber(one) < tonumber(other) end
  local negative = string.sub(one, 1, 1) == '-'
  if negative ~= (string.sub(other, 1, 1) == '-') then return negative end
  if negative then one, other = string.sub(other, 2), string.sub(one, 2) end
  if #one ~= #other then return #one < #other end
  return is_before(one, other)
end

local cursor = redis.call('HMGET', KEYS[1], 'ts', 'eventId')
local ts, event = cursor[1], cursor[2] or ''
if ts then
  if not string.find(ts, '^%-?%d+$') then return { 'corrupt', 'cursor' } end
  ts = string.gsub(ts, '^(%-?)0+(%d)', '%1%2')
  local newer = is_less(ts, ARGV[2]) or (ts == ARGV[2] and is_before(event, ARGV[3]))
  if not newer then return { 'stale', ts, event } end
end

-- Reading the record fails where writing it would, before anything is done.
local raw = redis.call('HGET', KEYS[2], ARGV[1])
if ARGV[4] == 'delete' then
  redis.call('HSET', KEYS[1], 'ts', ARGV[2], 'eventId', ARGV[3])
  if raw then redis.call('HDEL', KEYS[2], ARGV[1]) end
  redis.call('DEL', KEYS[3], KEYS[4])
  return { 'written' }
end
local json, old, new = merge(raw, ARGV[5], ARGV[7], ARGV[8], ARGV[9])
if json then
  store(KEYS[2], KEYS[3], KEYS[4], ARGV[1], json, old, new, ARGV[5], ARGV[6])
elseif old == 'corrupt' then
  return { 'corrupt', 'record' }
end
redis.call('HSET', KEYS[1], 'ts', ARGV[2], 'eventId', ARGV[3])
return { 'written' }

-- KEYS: event, pending, results   ARGV: event prefix, ttl ms, event id, target, result
-- Answers the final status, or false where something is pending, or the event is not known (any more).
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
if redis.call('HSETNX', KEYS[1], 'completed', '1') == 1 then
  mend('HSET', KEYS[3], ARGV[4], ARGV[5])
  redis.call('PEXPIRE', KEYS[3], ARGV[2])
  mend('SREM', KEYS[2], ARGV[3])
end
local applied, pending = ARGV[5] == 'success', 0
local generation = tonumber(redis.call('HGET', KEYS[1], 'generation') or 0) or 0
for _, event in ipairs(waiting(KEYS[2], ARGV[1])) do
  if applied and event.target == ARGV[4] and event.generation <= generation then
    forget(KEYS[2], ARGV[1], event)
  else
    pending = pending + 1
  end
end
if pending > 0 then
  redis.call('DEL', KEYS[1])
  return false
end
local results = mend('HVALS', KEYS[3])
if #results == 0 then results = { ARGV[5] } end
local successes = 0
for _, result in ipairs(results) do
  if result == 'success' then successes = successes + 1 end
end
if successes == #results then return 'success' end
return successes > 0 and 'partial' or 'error'

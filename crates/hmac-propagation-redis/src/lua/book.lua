-- KEYS: event, pending, results   ARGV: event prefix, ttl ms, tries to keep, event id, target, then the event's fields and
-- values, the generation last
local new_fields = mend('HSET', KEYS[1], unpack(ARGV, 6))
if new_fields * 2 < #ARGV - 5 then redis.call('HDEL', KEYS[1], 'completed') end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local generation, tries = tonumber(ARGV[#ARGV]), {}
for _, event in ipairs(waiting(KEYS[2], ARGV[1])) do
  if event.id ~= ARGV[4] and event.target == ARGV[5] then
    if event.generation < generation then
      forget(KEYS[2], ARGV[1], event)
    elseif event.generation == generation then
      tries[#tries + 1] = event
    end
  end
end
table.sort(tries, function(one, other) return one.attempt < other.attempt end)
for i = 1, #tries + 1 - tonumber(ARGV[3]) do forget(KEYS[2], ARGV[1], tries[i]) end
mend('SADD', KEYS[2], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
mend('HDEL', KEYS[3], ARGV[5])
return 1

-- KEYS: event, pending, results   ARGV: event prefix, ttl ms, event id, target, then the event's fields and values
local new_fields = mend('HSET', KEYS[1], unpack(ARGV, 5))
if new_fields * 2 < #ARGV - 4 then redis.call('HDEL', KEYS[1], 'completed') end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
mend('SADD', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if id ~= ARGV[3] then
    local target = redis.call('HGET', ARGV[1] .. id, 'targetAmqpQueue')
    if not target or target == ARGV[4] then
      redis.call('DEL', ARGV[1] .. id)
      redis.call('SREM', KEYS[2], id)
    end
  end
end
mend('HDEL', KEYS[3], ARGV[4])
return 1

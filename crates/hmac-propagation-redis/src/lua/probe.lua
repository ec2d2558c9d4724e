-- What the other scripts do, on keys of nobody: it leaves nothing behind.
-- KEYS: cursor, clients, backup, rotated; of a source also event, pending, results   ARGV: client id
redis.call('HMGET', KEYS[1], 'ts', 'eventId')
redis.call('HGET', KEYS[2], ARGV[1])
redis.call('SET', KEYS[4], '1', 'PX', '1000')
redis.call('DEL', KEYS[3], KEYS[4])
redis.call('HSET', KEYS[4], 'probe', '1')
redis.call('HDEL', KEYS[4], 'probe')
if KEYS[5] then
  redis.call('HSET', KEYS[5], 'probe', '1')
  redis.call('PEXPIRE', KEYS[5], '1000')
  redis.call('SADD', KEYS[6], 'probe')
  redis.call('SMEMBERS', KEYS[6])
  redis.call('SREM', KEYS[6], 'probe')
  redis.call('HDEL', KEYS[7], 'probe')
  redis.call('DEL', KEYS[5])
end
return 1

-- KEYS: clients, backup   ARGV: id
local found = redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return found

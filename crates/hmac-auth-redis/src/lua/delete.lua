-- KEYS: clients, backup, rotated   ARGV: id
local found = redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
return found

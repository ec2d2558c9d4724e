-- KEYS: event, pending, results   ARGV: event prefix, event id
redis.call('DEL', KEYS[1])
mend('SREM', KEYS[2], ARGV[2])
if #waiting(KEYS[2], ARGV[1]) == 0 then redis.call('DEL', KEYS[3]) end
return 1

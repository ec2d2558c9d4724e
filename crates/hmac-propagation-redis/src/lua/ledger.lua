-- The ledger is bookkeeping that a resend makes anew: a key of another type in its place is replaced, not an error that
-- would hold up a whole batch.
local function mend(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  if not string.find(answer.err, 'WRONGTYPE', 1, true) then error(answer.err) end
  redis.call('DEL', key)
  return redis.call(command, key, ...)
end

-- The events that a credential waits for; those whose record has expired are forgotten.
local function waiting(pending, prefix)
  local events = {}
  for _, id in ipairs(mend('SMEMBERS', pending)) do
    local known = mend('HMGET', prefix .. id, 'targetAmqpQueue', 'generation', 'attemptCount')
    if known[1] then
      local generation, attempt = tonumber(known[2] or 0) or 0, tonumber(known[3] or 0) or 0
      events[#events + 1] = { id = id, target = known[1], generation = generation, attempt = attempt }
    else
      redis.call('SREM', pending, id)
    end
  end
  return events
end

local function forget(pending, prefix, event)
  redis.call('DEL', prefix .. event.id)
  redis.call('SREM', pending, event.id)
end

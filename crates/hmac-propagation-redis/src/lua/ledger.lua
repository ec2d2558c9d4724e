-- The ledger is bookkeeping that a resend makes anew: a key of another type in its place is replaced, not an error that
-- would hold up a whole batch.
local function mend(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  if not string.find(answer.err, 'WRONGTYPE', 1, true) then error(answer.err) end
  redis.call('DEL', key)
  return redis.call(command, key, ...)
end

-- Counts what a credential still waits for, and forgets events whose record has expired.
local function count_pending(pending, prefix)
  local left = 0
  for _, id in ipairs(mend('SMEMBERS', pending)) do
    if redis.call('EXISTS', prefix .. id) == 1 then
      left = left + 1
    else
      redis.call('SREM', pending, id)
    end
  end
  return left
end

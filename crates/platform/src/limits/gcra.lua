-- Takes ARGV[3] units out of the bucket KEYS[1], which holds ARGV[1] and fills within ARGV[2] microseconds.
-- Kept is one number: when the bucket will be full. Gives {taken?, left, full after, again after}.
local quota, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = window / quota
-- Never later than a bucket can be: Redis' clock may have been put back.
local full = math.min(tonumber(redis.call('GET', KEYS[1]) or now), now + window)
local after = math.max(full, now) + interval * cost
local early = after - window - now
-- Less than a microsecond is rounding.
if early >= 1 then
    return {0, 0, math.ceil(math.max(full - now, 0)), math.ceil(early)}
end
redis.call('SET', KEYS[1], string.format('%.3f', after), 'PX', math.ceil((after - now) / 1000))
return {1, math.floor((now + window - after) / interval + 0.001), math.ceil(after - now), 0}

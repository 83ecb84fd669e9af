-- wrk -s replay.lua URL -- FILE [vary | rotate COUNT]
-- Sends the bytes of FILE as they are (one request, or a batch of them). With "vary", the marks
-- {cookie} and {id} in it become 32 hexadecimal digits that differ on each request.
-- With "rotate", FILE holds COUNT requests of equal length, which take turns.
-- Ends with one line of JSON instead of a text to be parsed.

local function read(path)
    local file = assert(io.open(path, "rb"))
    local bytes = file:read("*a")
    file:close()
    return bytes
end

local function varied(raw)
    local first, middle, last = raw:match("^(.*){cookie}(.*){id}(.*)$")
    local number = os.time() * 1000
    return function()
        number = number + 1
        local cookie = string.format("%032x", number)
        local id = string.format("%016x%016x", number * 2654435761 % 2 ^ 52, number)
        return first .. cookie .. middle .. id .. last
    end
end

local function rotated(raw, count)
    local size = #raw / count
    local turn = 0
    return function()
        turn = turn % count + 1
        return raw:sub((turn - 1) * size + 1, turn * size)
    end
end

function init(args)
    local raw = read(args[1])
    if args[2] == "vary" then
        request = varied(raw)
    elseif args[2] == "rotate" then
        request = rotated(raw, tonumber(args[3]))
    end
    wrk.format = function() return raw end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "octets": %d, "microseconds": %d, "p99": %d, "status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}\n',
        summary.requests, summary.bytes, summary.duration, latency:percentile(99),
        errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end

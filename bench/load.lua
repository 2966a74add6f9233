-- What wrk sends: check and track requests of randomly chosen customers. Every request is formatted once, in init, so that
-- sending one costs a table lookup.
--
--   wrk … URL -- <secret key> <customers> <tracks in 100 requests> <seed>

local checks, tracks = {}, {}
local customers, share
local asked = 0
-- Global, because `done` runs in another state and reads it from there.
tracks_sent = 0

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local key = args[1]
  customers = tonumber(args[2])
  share = tonumber(args[3])
  math.randomseed(tonumber(args[4]))
  local headers = { ['content-type'] = 'application/json', ['authorization'] = 'Bearer ' .. key }
  for i = 1, customers do
    local who = string.format('"customer_id":"customer_%04d","feature_id":"messages"', i)
    checks[i] = wrk.format('POST', '/v1/balances.check', headers, '{' .. who .. '}')
    tracks[i] = wrk.format('POST', '/v1/balances.track', headers, '{' .. who .. ',"value":1}')
  end
end

function request()
  local i = math.random(customers)
  asked = asked + 1
  if share == 100 or (share > 0 and math.random(100) <= share) then
    -- wrk asks once before it starts, to look at the request, and does not send that one.
    if asked > 1 then tracks_sent = tracks_sent + 1 end
    return tracks[i]
  end
  return checks[i]
end

function done(summary, latency)
  local sent = 0
  for _, thread in ipairs(threads) do sent = sent + thread:get('tracks_sent') end
  local e = summary.errors
  io.write(string.format(
    '\nresult {"requests":%d,"micros":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d,"tracksSent":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout, sent))
end

-- What wrk measured, as one JSON line.
done = function(summary, latency)
    local errors = 0
    for _, count in pairs(summary.errors) do errors = errors + count end
    io.write(string.format('{"requests":%d,"us":%d,"errors":%d,"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration, errors, latency:percentile(50), latency:percentile(99)))
end

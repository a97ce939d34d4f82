-- The wires of quintain in Wireshark: snyper, framed, agent (PROTOCOL.md).
--
-- Copy it into the folder that Help > About > Folders calls "Personal Lua Plugins", or for once:
--     tshark -X lua_script:quintain.lua -r FILE
-- Ports are preferences of each protocol. What agent says stands under TLS: let one end write its
-- keys (SSLKEYLOGFILE in its environment) and say tls.keylog_file.
-- Runs with the Lua of Wireshark 3.6 to 4.4 (5.1 to 5.4): no integer operators.

local LIMIT = 2 * 1024 * 1024 -- of a message; a longer one is taken for no message

-- ---- JSON: which members an object has, and where; strict as RFC 8259 ----

local WHITE = { [32] = true, [9] = true, [10] = true, [13] = true }

-- A reader is { text, at }. Errors are thrown as { at = position, why = words }.
local function fail(r, why, at)
    error({ at = (at or r.at) - 1, why = why }, 0)
end

local function skip_white(r)
    while WHITE[r.text:byte(r.at)] do r.at = r.at + 1 end
end

local function utf8_char(code)
    if code < 0x80 then return string.char(code) end
    if code < 0x800 then
        return string.char(0xc0 + math.floor(code / 64), 0x80 + code % 64)
    end
    if code < 0x10000 then
        return string.char(0xe0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
    end
    return string.char(0xf0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64,
        0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

-- How many bytes the character at this place has; nil: it is none (RFC 3629).
local function utf8_len(text, at)
    local a, b, c, d = text:byte(at, at + 3)
    local function tail(x) return x ~= nil and x >= 0x80 and x < 0xc0 end
    if a < 0x80 then return 1 end
    if a >= 0xc2 and a < 0xe0 then return tail(b) and 2 or nil end
    if a >= 0xe0 and a < 0xf0 then
        if not (tail(b) and tail(c)) then return nil end
        if (a == 0xe0 and b < 0xa0) or (a == 0xed and b >= 0xa0) then return nil end
        return 3
    end
    if a >= 0xf0 and a < 0xf5 then
        if not (tail(b) and tail(c) and tail(d)) then return nil end
        if (a == 0xf0 and b < 0x90) or (a == 0xf4 and b >= 0x90) then return nil end
        return 4
    end
    return nil
end

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function read_escape(r)
    local c = r.text:sub(r.at + 1, r.at + 1)
    if ESCAPES[c] then
        r.at = r.at + 2
        return ESCAPES[c]
    end
    local hex = c == "u" and r.text:match("^%x%x%x%x", r.at + 2)
    if not hex then fail(r, "no such escape") end
    local code = tonumber(hex, 16)
    r.at = r.at + 6
    if code >= 0xd800 and code < 0xdc00 then
        local low = r.text:match("^\\u(%x%x%x%x)", r.at)
        low = low and tonumber(low, 16)
        if low and low >= 0xdc00 and low < 0xe000 then
            r.at = r.at + 6
            return utf8_char(0x10000 + (code - 0xd800) * 1024 + low - 0xdc00)
        end
    end
    if code >= 0xd800 and code < 0xe000 then return "\239\191\189" end
    return utf8_char(code)
end

local function read_string(r)
    local out = {}
    r.at = r.at + 1
    while true do
        local c = r.text:byte(r.at)
        if c == nil then fail(r, "the text ends inside a string") end
        if c == 34 then
            r.at = r.at + 1
            return table.concat(out)
        elseif c == 92 then
            out[#out + 1] = read_escape(r)
        elseif c < 32 then
            fail(r, "a control character in a string")
        else
            local n = utf8_len(r.text, r.at)
            if not n then fail(r, "no UTF-8") end
            out[#out + 1] = r.text:sub(r.at, r.at + n - 1)
            r.at = r.at + n
        end
    end
end

local function read_number(r)
    local whole = r.text:match("^%-?%d+", r.at)
    if not whole or whole:match("^%-?0%d") then fail(r, "no number") end
    local text = whole
    local fraction = r.text:match("^%.%d+", r.at + #text)
    text = text .. (fraction or "")
    local exponent = r.text:match("^[eE][+-]?%d+", r.at + #text)
    text = text .. (exponent or "")
    r.at = r.at + #text
    return tonumber(text)
end

local WORDS = { ["true"] = true, ["false"] = false }
local read_value

local function read_container(r, depth, close, each)
    if depth > 64 then fail(r, "nested too deep") end
    r.at = r.at + 1
    skip_white(r)
    if r.text:sub(r.at, r.at) == close then
        r.at = r.at + 1
        return
    end
    while true do
        each()
        skip_white(r)
        local c = r.text:sub(r.at, r.at)
        r.at = r.at + 1
        if c == close then return end
        if c ~= "," then fail(r, "expected ',' or '" .. close .. "'", r.at - 1) end
        skip_white(r)
    end
end

local function read_object(r, depth)
    local members = {}
    read_container(r, depth, "}", function()
        if r.text:byte(r.at) ~= 34 then fail(r, "expected a member's name") end
        local name = read_string(r)
        skip_white(r)
        if r.text:byte(r.at) ~= 58 then fail(r, "expected ':'") end
        r.at = r.at + 1
        skip_white(r)
        members[name] = read_value(r, depth + 1)
    end)
    return members
end

-- { kind, value (of strings, numbers, words), members (of objects), at (from 0), len }
read_value = function(r, depth)
    local start, c = r.at, r.text:sub(r.at, r.at)
    local v = { at = start - 1 }
    if c == "{" then
        v.kind, v.members = "object", read_object(r, depth)
    elseif c == "[" then
        v.kind = "array"
        read_container(r, depth, "]", function() read_value(r, depth + 1) end)
    elseif c == '"' then
        v.kind, v.value = "string", read_string(r)
    elseif c:match("[%-%d]") then
        v.kind, v.value = "number", read_number(r)
    else
        local word = r.text:match("^%a+", r.at)
        if word ~= "true" and word ~= "false" and word ~= "null" then fail(r, "no value") end
        v.kind, v.value = word == "null" and "null" or "boolean", WORDS[word]
        r.at = r.at + #word
    end
    v.len = r.at - start
    return v
end

-- The value of a whole text; or nil, { at, why }.
local function json(text)
    local r = { text = text, at = 1 }
    local ok, v = pcall(function()
        skip_white(r)
        local value = read_value(r, 1)
        skip_white(r)
        if r.at <= #text then fail(r, "something after the end") end
        return value
    end)
    if ok then return v end
    if type(v) ~= "table" then error(v, 0) end
    return nil, v
end

-- ---- what all three share ----

local stream_field = Field.new("tcp.stream")

-- Who asked, for who answers: by TCP connection, in order or by a key. Frames are looked at in
-- order once; what was found then is kept for every later look at the same message.
local function new_pairs()
    local asked, found = {}, {}
    local pairs_of = {}
    function pairs_of.clear() asked, found = {}, {} end
    function pairs_of.look(pinfo, place, asks, key)
        local stream = stream_field()
        local id = pinfo.number .. ":" .. place
        if pinfo.visited or not stream then return found[id] end
        local way = pinfo.src_port
        local queue = asked[stream.value] or {}
        asked[stream.value] = queue
        if asks then
            queue[#queue + 1] = { key = key, way = way, number = pinfo.number, time = pinfo.rel_ts }
            return nil
        end
        for i, question in ipairs(queue) do
            if question.way ~= way and question.key == key then
                table.remove(queue, i)
                found[id] = { number = question.number, took = pinfo.rel_ts - question.time }
                return found[id]
            end
        end
        return nil
    end
    return pairs_of
end

local function add_pair(tree, fields, pair)
    if not pair then return end
    tree:add(fields.response_to, pair.number):set_generated()
    tree:add(fields.response_time, NSTime.new(math.floor(pair.took), math.floor((pair.took % 1) * 1e9 + 0.5))):set_generated()
end

local function new_proto(name, title, ports, fields, table_name)
    local proto = Proto(name, title)
    fields.response_to = ProtoField.framenum(name .. ".response_to", "Response to", base.NONE, frametype.REQUEST)
    fields.response_time = ProtoField.relative_time(name .. ".response_time", "Response time")
    proto.fields = fields
    local kept = {}
    for key, field in pairs(fields) do kept[key] = field end
    local complaint = ProtoExpert.new(name .. ".malformed", "Malformed", expert.group.MALFORMED,
        expert.severity.ERROR)
    proto.experts = { complaint }
    proto.prefs.ports = Pref.range("Ports", ports, "TCP ports that are taken for " .. name, 65535)
    local dissectors, current = DissectorTable.get(table_name), nil
    -- Once the dissector is there, and whenever the ports have changed.
    local function follow_ports()
        if current == proto.prefs.ports then return end
        if current and current ~= "" then dissectors:remove(current, proto) end
        current = proto.prefs.ports
        if current ~= "" then dissectors:add(current, proto) end
    end
    proto.prefs_changed = follow_ports
    return { proto = proto, fields = kept, pairs = new_pairs(), complaint = complaint, follow_ports = follow_ports, servers = {} }
end

local function malformed(w, tree, why)
    tree:add_proto_expert_info(w.complaint, why)
end

-- A member as a field, where it has the kind that the field is for.
local function add_member(tree, field, tvb, base, members, name, kinds)
    local v = members[name]
    if not v or not kinds[v.kind] then return nil end
    tree:add(field, tvb(base + v.at, v.len), v.value)
    return v.value
end

local TEXT, NUMBER = { string = true }, { number = true }

local function raw_of(tvb, offset, len)
    return len > 0 and tvb:raw(offset, len) or ""
end

-- ---- snyper ----

local snyper = new_proto("snyper", "Snyper (JSON Lines of the range)", "8081", {
    type = ProtoField.string("snyper.type", "Type"),
    id = ProtoField.string("snyper.id", "Id"),
    timestamp = ProtoField.double("snyper.timestamp", "Timestamp"),
    target_id = ProtoField.string("snyper.target_id", "Target"),
    data = ProtoField.string("snyper.data", "Data"),
    client_id = ProtoField.string("snyper.client_id", "Client"),
    status = ProtoField.string("snyper.status", "Status"),
    message = ProtoField.string("snyper.message", "Message"),
    error = ProtoField.string("snyper.error", "Error"),
    duration = ProtoField.double("snyper.duration", "Duration"),
    line = ProtoField.string("snyper.line", "Line"),
}, "tcp.port")

local SNYPER_ASKS = { register = true, ping = true, stand_up = true, lay_down = true, activate = true }
local SNYPER_ANSWERS = { registered = true, pong = true, standing = true, down = true, activated = true, error = true }

-- Why an object is no message, in PROTOCOL.md's words; nil: it is one.
local function snyper_fault(v)
    if v.kind ~= "object" then return "a message must be an object" end
    local m = v.members
    if not m.type then return "a message needs a type" end
    if m.type.kind ~= "string" then return "type must be a string" end
    if not m.id then return "a message needs an id" end
    local t = m.type.value:lower()
    if not SNYPER_ASKS[t] and not SNYPER_ANSWERS[t] then return "unknown message type" end
    return nil
end

local function snyper_line(tvb, offset, len, pinfo, root)
    local tree = root:add(snyper.proto, tvb(offset, len))
    local text = raw_of(tvb, offset, len):gsub("[\r\n]+$", "")
    local f = snyper.fields
    local v, fault = json(text)
    if not v then
        tree:add(f.line, tvb(offset, #text), text)
        malformed(snyper, tree, "at byte " .. fault.at .. ": " .. fault.why)
        return "malformed line"
    end
    local why = snyper_fault(v)
    if v.kind ~= "object" then
        malformed(snyper, tree, why)
        return "no object"
    end
    local m = v.members
    local t = add_member(tree, f.type, tvb, offset, m, "type", TEXT)
    add_member(tree, f.id, tvb, offset, m, "id", TEXT)
    if m.id and m.id.kind == "number" then tree:add(f.id, tvb(offset + m.id.at, m.id.len), tostring(m.id.value)) end
    add_member(tree, f.timestamp, tvb, offset, m, "timestamp", NUMBER)
    local target = add_member(tree, f.target_id, tvb, offset, m, "target_id", TEXT)
    if m.data then
        local data = tree:add(f.data, tvb(offset + m.data.at, m.data.len))
        for _, name in ipairs({ "client_id", "status", "message", "error" }) do
            if m.data.members then add_member(data, f[name], tvb, offset, m.data.members, name, TEXT) end
        end
        if m.data.members then add_member(data, f.duration, tvb, offset, m.data.members, "duration", NUMBER) end
    end
    if why then malformed(snyper, tree, why) end
    local lower = t and t:lower()
    if SNYPER_ASKS[lower] or SNYPER_ANSWERS[lower] then
        local pair = snyper.pairs.look(pinfo, offset, SNYPER_ASKS[lower], nil)
        add_pair(tree, f, pair)
    end
    tree:append_text(": " .. (t or "?") .. (target and " " .. target or ""))
    return (t or "?") .. (target and " " .. target or "")
end

function snyper.proto.dissector(tvb, pinfo, root)
    local offset, all, words = 0, tvb:len(), {}
    local text = raw_of(tvb, 0, all)
    pinfo.cols.protocol = "snyper"
    while offset < all do
        local newline = text:find("\n", offset + 1, true)
        if not newline then
            if all - offset > LIMIT then return all end
            pinfo.desegment_offset = offset
            pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
            break
        end
        local len = newline - offset
        if text:sub(offset + 1, newline):find("[^ \t\r\n]") then
            words[#words + 1] = snyper_line(tvb, offset, len, pinfo, root)
        end
        offset = offset + len
    end
    if #words > 0 then pinfo.cols.info = table.concat(words, "; ") end
    return all
end

-- ---- framed ----

local framed = new_proto("framed", "Framed (length and JSON)", "9999", {
    length = ProtoField.uint32("framed.length", "Length"),
    text = ProtoField.string("framed.text", "Text"),
    type = ProtoField.string("framed.type", "Type"),
    timestamp = ProtoField.string("framed.timestamp", "Timestamp"),
    client_id = ProtoField.string("framed.client_id", "Client"),
    from_client = ProtoField.string("framed.from_client", "From client"),
    content = ProtoField.string("framed.content", "Content"),
    recipients = ProtoField.double("framed.recipients", "Recipients"),
    target = ProtoField.string("framed.target", "Target"),
}, "tcp.port")

local FRAMED_NEWS = { welcome = true, broadcast = true }

-- The server is who says welcome; where that is not in the capture, the side with the lower port.
local function from_client(pinfo, t)
    local stream = stream_field()
    local server = stream and framed.servers[stream.value]
    if t == "welcome" and stream and not server then
        server = pinfo.src_port
        framed.servers[stream.value] = server
    end
    return (server or math.min(pinfo.src_port, pinfo.dst_port)) ~= pinfo.src_port
end

local function framed_info(pinfo, words)
    pinfo.cols.info:append((framed.first and "" or "; ") .. words)
    framed.first = false
end

local function framed_message(tvb, pinfo, root)
    local f, all = framed.fields, tvb:len()
    local tree = root:add(framed.proto, tvb(0, all))
    local length = tvb(0, 4):uint()
    tree:add(f.length, tvb(0, 4))
    if length > LIMIT then
        malformed(framed, tree, "a length of " .. length .. ": no frame of this wire")
        framed_info(pinfo, "no frame")
        return all
    end
    local text = raw_of(tvb, 4, all - 4)
    if #text > 0 then tree:add(f.text, tvb(4, #text), text) end
    for at = 1, #text do -- the real server closes on this
        local byte = text:byte(at)
        if byte >= 0x80 then
            local n = utf8_len(text, at)
            if not n and (byte >= 0xc0 or not (at > 1 and text:byte(at - 1) >= 0x80)) then
                malformed(framed, tree, "at byte " .. (at - 1) .. ": no UTF-8")
                break
            end
        end
    end
    local v = json(text)
    local t = "[text]"
    if v and v.kind == "object" then
        local m = v.members
        t = add_member(tree, f.type, tvb, 4, m, "type", TEXT) or "[other]"
        for _, name in ipairs({ "timestamp", "client_id", "from_client", "target" }) do
            add_member(tree, f[name], tvb, 4, m, name, TEXT)
        end
        add_member(tree, f.recipients, tvb, 4, m, "recipients", NUMBER)
        if m.content then tree:add(f.content, tvb(4 + m.content.at, m.content.len)) end
    elseif v then
        t = "[value]"
    end
    local asks = from_client(pinfo, t)
    if asks or not FRAMED_NEWS[t] then
        add_pair(tree, f, framed.pairs.look(pinfo, tvb:offset(), asks, nil))
    end
    tree:append_text(": " .. t)
    framed_info(pinfo, t)
    return all
end

-- What claims to be longer than any message is shown as it is, and nothing after it.
local function length_of(tvb, _, offset)
    local length = tvb(offset, 4):uint()
    return length > LIMIT and tvb:len() - offset or length + 4
end

function framed.proto.dissector(tvb, pinfo, root)
    pinfo.cols.protocol = "framed"
    pinfo.cols.info = ""
    framed.first = true
    dissect_tcp_pdus(tvb, root, 4, length_of, framed_message)
    return tvb:len()
end

-- ---- agent ----

local T_NAMES = {
    [10] = "AgentHello", [11] = "ManagerHello", [12] = "Ping", [13] = "Pong", [14] = "Bye",
    [20] = "Request", [21] = "Response", [22] = "Notification",
}

local agent = new_proto("agent", "Agent (length and MessagePack, under TLS)", "7051", {
    length = ProtoField.uint32("agent.length", "Length"),
    t = ProtoField.uint8("agent.t", "Message", base.DEC, T_NAMES),
    id = ProtoField.string("agent.id", "Id"),
    version = ProtoField.string("agent.version", "Version"),
    credentials = ProtoField.string("agent.credentials", "Credentials"),
    reason = ProtoField.string("agent.reason", "Reason"),
    method = ProtoField.string("agent.method", "Method"),
    type = ProtoField.string("agent.type", "Type"),
    success = ProtoField.bool("agent.success", "Success"),
    data = ProtoField.string("agent.data", "Data"),
    args = ProtoField.string("agent.args", "Args"),
    kwargs = ProtoField.string("agent.kwargs", "Kwargs"),
    cmdtype = ProtoField.string("agent.cmdtype", "Command"),
    value = ProtoField.string("agent.value", "Value"),
}, "tls.port")

local mp_value

local function mp_need(r, n)
    if r.at + n > r.len then error({ at = r.at, why = "the bytes end within a value" }, 0) end
end

local function mp_uint(r, n)
    mp_need(r, n)
    local range = r.tvb(r.at, n)
    r.at = r.at + n
    if n == 8 then return tostring(range:uint64()) end
    return range:uint()
end

local function mp_int(r, n)
    mp_need(r, n)
    local range = r.tvb(r.at, n)
    r.at = r.at + n
    if n == 8 then return tostring(range:int64()) end
    return range:int()
end

local function mp_bytes(r, n, kind)
    mp_need(r, n)
    local text = raw_of(r.tvb, r.at, n)
    r.at = r.at + n
    if kind == "str" then
        local at = 1
        while at <= #text do
            local len = utf8_len(text, at)
            if not len then error({ at = r.at - n + at - 1, why = "no UTF-8" }, 0) end
            at = at + len
        end
        return text
    end
    return "(" .. n .. " bytes)"
end

local function mp_container(r, v, count, depth, map)
    if depth > 64 then error({ at = r.at, why = "nested too deep" }, 0) end
    if count > r.len - r.at then error({ at = r.at, why = "more elements than bytes" }, 0) end
    v.members, v.items = {}, {}
    for i = 1, count do
        local key
        if map then
            key = mp_value(r, depth + 1)
            if key.kind ~= "str" then error({ at = key.at, why = "a key must be a string" }, 0) end
        end
        local item = mp_value(r, depth + 1)
        v.items[i] = item
        if key then
            v.members[key.value] = item
            item.name = key.value
        end
    end
end

-- Heads of one byte: { first, last, kind, size of what follows }.
mp_value = function(r, depth)
    local v = { at = r.at }
    local head = mp_uint(r, 1)
    local function sized(kind, n) v.kind, v.value = kind, mp_bytes(r, n, kind) end
    local function box(kind, n)
        v.kind = kind
        mp_container(r, v, n, depth, kind == "map")
    end
    if head < 0x80 then v.kind, v.value = "int", head
    elseif head < 0x90 then box("map", head - 0x80)
    elseif head < 0xa0 then box("array", head - 0x90)
    elseif head < 0xc0 then sized("str", head - 0xa0)
    elseif head == 0xc0 then v.kind = "nil"
    elseif head == 0xc2 or head == 0xc3 then v.kind, v.value = "bool", head == 0xc3
    elseif head >= 0xc4 and head <= 0xc6 then sized("bin", mp_uint(r, 2 ^ (head - 0xc4)))
    elseif head >= 0xc7 and head <= 0xc9 then sized("ext", mp_uint(r, 2 ^ (head - 0xc7)) + 1)
    elseif head == 0xca or head == 0xcb then
        local n = head == 0xca and 4 or 8
        mp_need(r, n)
        v.kind, v.value = "float", r.tvb(r.at, n):float()
        r.at = r.at + n
    elseif head >= 0xcc and head <= 0xcf then v.kind, v.value = "int", mp_uint(r, 2 ^ (head - 0xcc))
    elseif head >= 0xd0 and head <= 0xd3 then v.kind, v.value = "int", mp_int(r, 2 ^ (head - 0xd0))
    elseif head >= 0xd4 and head <= 0xd8 then sized("ext", 2 ^ (head - 0xd4) + 1)
    elseif head >= 0xd9 and head <= 0xdb then sized("str", mp_uint(r, 2 ^ (head - 0xd9)))
    elseif head == 0xdc or head == 0xdd then box("array", mp_uint(r, 2 ^ (head - 0xdc) * 2))
    elseif head == 0xde or head == 0xdf then box("map", mp_uint(r, 2 ^ (head - 0xde) * 2))
    elseif head >= 0xe0 then v.kind, v.value = "int", head - 256
    else error({ at = v.at, why = "0xc1 is no value" }, 0) end
    v.len = r.at - v.at
    return v
end

local function mp_text(v)
    if v.kind == "nil" then return "nil" end
    if v.kind == "str" then return v.name and '"' .. v.value .. '"' or v.value end
    if v.kind ~= "map" and v.kind ~= "array" then return tostring(v.value) end
    local parts = {}
    for i, item in ipairs(v.items) do
        parts[i] = (item.name and item.name .. ": " or "") .. mp_text(item)
    end
    local open, close = v.kind == "map" and "{" or "[", v.kind == "map" and "}" or "]"
    return open .. table.concat(parts, ", ") .. close
end

local function agent_read(tvb)
    local r = { tvb = tvb, at = 4, len = tvb:len() }
    local ok, v = pcall(function()
        local value = mp_value(r, 1)
        if r.at < r.len then error({ at = r.at, why = "something after the map" }, 0) end
        if value.kind ~= "map" then error({ at = 4, why = "a message must be a map" }, 0) end
        if not value.members.t or value.members.t.kind ~= "int" then
            error({ at = 4, why = "a message needs t, an integer" }, 0)
        end
        return value
    end)
    if ok then return v end
    if type(v) ~= "table" then error(v, 0) end
    return nil, v
end

local AGENT_ASKS = { [10] = true, [12] = true, [20] = true }
local AGENT_ANSWERS = { [11] = true, [13] = true, [21] = true }

local function agent_key(t, m)
    if t == 10 or t == 11 then return "hello" end
    if t == 12 or t == 13 then return m.data and "ping " .. tostring(m.data.value) end
    return m.id and "id " .. tostring(m.id.value)
end

local function agent_fields(tvb, tree, m)
    local f = agent.fields
    for _, name in ipairs({ "id", "version", "credentials", "reason", "method", "type" }) do
        local v = m[name]
        if v and v.kind == "str" then tree:add(f[name], tvb(v.at, v.len), v.value) end
    end
    for _, name in ipairs({ "data", "args", "kwargs" }) do
        local v = m[name]
        if v then tree:add(f[name], tvb(v.at, v.len), mp_text(v)) end
    end
    if m.success and m.success.kind == "bool" then
        tree:add(f.success, tvb(m.success.at, m.success.len), m.success.value)
    end
    local cmdtype = m.kwargs and m.kwargs.members and m.kwargs.members.cmdtype
    if cmdtype and cmdtype.kind == "str" then
        tree:add(f.cmdtype, tvb(cmdtype.at, cmdtype.len), cmdtype.value)
    end
    return cmdtype and cmdtype.value
end

local function agent_message(tvb, pinfo, root)
    local f, all = agent.fields, tvb:len()
    local tree = root:add(agent.proto, tvb(0, all))
    tree:add(f.length, tvb(0, 4))
    local words
    local v, fault
    if tvb(0, 4):uint() > 1048576 then
        fault = { at = 0, why = "a length of more than 1,048,576" }
    else
        v, fault = agent_read(tvb)
    end
    if not v then
        malformed(agent, tree, "at byte " .. fault.at .. ": " .. fault.why)
        words = "malformed message"
    else
        local m = v.members
        local t = tonumber(m.t.value)
        tree:add(f.t, tvb(m.t.at, m.t.len), t)
        words = T_NAMES[t] or "?"
        if not T_NAMES[t] then malformed(agent, tree, "unknown t: " .. tostring(m.t.value)) end
        local cmdtype = agent_fields(tvb, tree, m)
        words = words .. (cmdtype and " " .. cmdtype or "")
        if m.type and m.type.kind == "str" then words = words .. " " .. m.type.value end
        if AGENT_ASKS[t] or AGENT_ANSWERS[t] then
            add_pair(tree, f,
                agent.pairs.look(pinfo, tvb:offset(), AGENT_ASKS[t], agent_key(t, m)))
        end
    end
    tree:append_text(": " .. words)
    pinfo.cols.info:append((agent.first and "" or "; ") .. words)
    agent.first = false
    return all
end

local function agent_length_of(tvb, _, offset)
    local length = tvb(offset, 4):uint()
    return length > 1048576 and tvb:len() - offset or length + 4
end

function agent.proto.dissector(tvb, pinfo, root)
    pinfo.cols.protocol = "agent"
    pinfo.cols.info = ""
    agent.first = true
    dissect_tcp_pdus(tvb, root, 4, agent_length_of, agent_message)
    return tvb:len()
end

-- Bytes of a capture whose TLS was taken off elsewhere: "Decode as", or tcp.port==N,agent.
DissectorTable.get("tcp.port"):add_for_decode_as(agent.proto)

for _, w in ipairs({ snyper, framed, agent }) do
    function w.proto.init()
        w.pairs.clear()
        w.servers = {}
    end
    w.follow_ports()
end

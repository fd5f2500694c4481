-- Wireshark and tshark show the frames of milestones 2 to 4 with this file:
--
--     wireshark -X lua_script:docs/chat.lua capture.pcap
--     tshark -X lua_script:docs/chat.lua -i lo -f 'tcp port 8082' -V
--
-- The header is `struct message` as a C compiler lays it out: 32-bit little-endian pld_len at
-- offset 0, nick_sender at 4, type at 132, infos at 136; then pld_len bytes of payload.

local HEADER, NICK, TYPE, INFOS, FIELD = 264, 4, 132, 136, 128
local SENSIBLE = 64 * 1024 * 1024 -- larger ones are more likely a mistake than a file
local FILE_SEND = 14

local TYPES = {
  [0] = "NICKNAME_NEW", "NICKNAME_LIST", "NICKNAME_INFOS", "ECHO_SEND", "UNICAST_SEND",
  "BROADCAST_SEND", "MULTICAST_CREATE", "MULTICAST_LIST", "MULTICAST_JOIN", "MULTICAST_SEND",
  "MULTICAST_QUIT", "FILE_REQUEST", "FILE_ACCEPT", "FILE_REJECT", "FILE_SEND", "FILE_ACK",
}

local chat = Proto("mschat", "Milestone Chat")
local length = ProtoField.int32("mschat.pld_len", "pld_len")
local sender = ProtoField.string("mschat.nick_sender", "nick_sender", base.UNICODE)
local kind = ProtoField.int32("mschat.type", "type", base.DEC, TYPES)
local infos = ProtoField.string("mschat.infos", "infos", base.UNICODE)
local text = ProtoField.string("mschat.payload", "payload", base.UNICODE)
local file = ProtoField.bytes("mschat.file", "payload (a file's bytes)")
chat.fields = { length, sender, kind, infos, text, file }

local odd = ProtoExpert.new(
  "mschat.malformed", "Malformed frame", expert.group.MALFORMED, expert.severity.ERROR)
chat.experts = { odd }
chat.prefs.ports = Pref.range("TCP ports", "8082-8084", "Ports of chat servers", 65535)

-- The string at `offset`, up to its first NUL; nil as the second result where there is none.
local function field_at(buffer, offset)
  local range = buffer(offset, FIELD)
  local bytes = range:bytes()
  for i = 0, FIELD - 1 do
    if bytes:get_index(i) == 0 then
      return i > 0 and buffer(offset, i):string(ENC_UTF_8) or "", true
    end
  end
  return range:string(ENC_UTF_8), nil
end

local function payload_length(buffer, offset)
  local announced = buffer(offset, 4):le_int()
  if announced < 0 or announced > SENSIBLE then
    return 0 -- flagged below; what follows is read as the next frame
  end
  return announced
end

local function frame_length(buffer, _, offset)
  return HEADER + payload_length(buffer, offset)
end

local function one_frame(buffer, packet, root)
  local number = buffer(TYPE, 4):le_int()
  local name = TYPES[number] or ("type " .. number)
  local tree = root:add(chat, buffer(), "Milestone Chat, " .. name)
  local announced = buffer(0, 4):le_int()
  local item = tree:add_le(length, buffer(0, 4))
  if announced < 0 then
    item:add_proto_expert_info(odd, "pld_len is negative")
  elseif announced > SENSIBLE then
    item:add_proto_expert_info(odd, "pld_len is too large: sent in the other byte order?")
  end
  for _, one in ipairs({ { sender, NICK, "nick_sender" }, { infos, INFOS, "infos" } }) do
    local value, ended = field_at(buffer, one[2])
    item = tree:add(one[1], buffer(one[2], FIELD), value)
    if not ended then
      item:add_proto_expert_info(odd, "no NUL in " .. one[3])
    end
  end
  item = tree:add_le(kind, buffer(TYPE, 4))
  if not TYPES[number] then
    item:add_proto_expert_info(odd, "unknown type")
  end
  local said = ""
  if buffer:len() > HEADER then
    local payload = buffer(HEADER)
    if number == FILE_SEND then
      tree:add(file, payload)
      said = payload:len() .. " bytes"
    else
      said = payload:string(ENC_UTF_8)
      tree:add(text, payload, said)
    end
  end
  packet.cols.protocol = "CHAT"
  packet.cols.info:append(" [" .. name .. " " .. field_at(buffer, INFOS) .. " " .. said .. "]")
  return buffer:len()
end

function chat.dissector(buffer, packet, tree)
  dissect_tcp_pdus(buffer, tree, HEADER, frame_length, one_frame)
  return buffer:len()
end

local ports = DissectorTable.get("tcp.port")
local registered = "8082-8084"
ports:add(registered, chat)

function chat.prefs_changed()
  ports:remove(registered, chat)
  registered = chat.prefs.ports
  ports:add(registered, chat)
end

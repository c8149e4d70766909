package redis

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
)

// What scripts answer, alone or as the first of a list.
const (
	absent     = 0
	applied    = 1
	moved      = 2 // another version
	foreign    = 3 // a string that is no whole record
	wrongType  = 4
	unfinished = 5 // the record was written, and something after that failed
	reindexed  = 6 // the index is another one: nothing was written
)

// script is a Lua script, sent by the digest of its text.
//
// Every script looks first and writes afterwards. Until the record has changed,
// an error ends it, so that an error which the server answers says that the
// record is what it was. From then on nothing that fails ends it.
type script struct {
	name, text, sha string
}

func newScript(name string, parts ...string) script {
	text := strings.NewReplacer(
		"HEADER", fmt.Sprint(headerSize),
		"LAST", fmt.Sprint(headerSize-1),
		"STAMP", fmt.Sprint(stampSize),
		"MAGIC", "'"+magic+"'",
		"YOUNG", fmt.Sprint(young.Milliseconds()),
	).Replace("-- websession: " + name + "\n" + strings.Join(parts, "\n"))
	sum := sha1.Sum([]byte(text))
	return script{name, text, hex.EncodeToString(sum[:])}
}

// luaRecord reads the record at a key: its state in version old (” for any), or
// an error; its header and its index.
const luaRecord = `
local function record(key, old)
  local head = redis.pcall('GETRANGE', key, 0, LAST)
  if type(head) == 'table' then
    if string.find(head.err, 'WRONGTYPE', 1, true) then return 4 end
    return head
  end
  if head == '' then
    if redis.call('EXISTS', key) == 0 then return 0 end
    return 3
  end
  if #head < HEADER or string.sub(head, 1, 4) ~= MAGIC then return 3 end
  local indexSize, dataSize = struct.unpack('>I4I4', head, 45)
  if redis.call('STRLEN', key) ~= HEADER + indexSize + dataSize then return 3 end
  if old ~= '' and string.sub(head, 5, 36) ~= old then return 2 end
  local index = ''
  if indexSize > 0 then index = redis.call('GETRANGE', key, HEADER, LAST + indexSize) end
  return 1, head, index
end
local function put(key, value, ttl)
  if ttl == '' then redis.call('SET', key, value) else redis.call('SET', key, value, 'PX', ttl) end
end
`

// luaEntry handles the index entries of one digest: a hash at ix with a field for
// each record, whose value is 'until', or 'until written token' where the index
// lies apart from the records.
const luaEntry = `
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function number(n) return string.format('%.0f', n) end
local function enter(ix, id, life, tail)
  local t = now()
  redis.call('HSET', ix, id, number(t + life) .. tail(t))
  local left, size = redis.call('PTTL', ix), redis.call('HLEN', ix)
  if size == 1 or (left >= 0 and left < life) then redis.call('PEXPIRE', ix, number(life)) end
  if size > 8 then
    local some = redis.call('HRANDFIELD', ix, 4, 'WITHVALUES')
    for i = 1, #some, 2 do
      if tonumber(string.match(some[i + 1], '^%d+') or '0') < t then redis.call('HDEL', ix, some[i]) end
    end
  end
end
`

// luaIndex handles the entries of a record that lie on the same server.
const luaIndex = `
local function each(index, f)
  local at = 1
  while at <= #index do
    local field, digest
    field, digest, at = struct.unpack('>I2c0I2c0', index, at)
    f(field, digest)
  end
end
local function ixkey(prefix, field, digest) return prefix .. '{' .. field .. ':' .. digest .. '}' end
local function plain() return '' end
local function enterAll(prefix, index, id, life)
  each(index, function(field, digest) enter(ixkey(prefix, field, digest), id, life, plain) end)
end
local function leave(prefix, index, id, keep)
  local kept = {}
  each(keep, function(field, digest) kept[ixkey(prefix, field, digest)] = true end)
  each(index, function(field, digest)
    local ix = ixkey(prefix, field, digest)
    if not kept[ix] then redis.pcall('HDEL', ix, id) end
  end)
end
`

var (
	// createScript stores a record and its entries. KEYS: record. ARGV: value,
	// ttl, prefix of index keys, index, life of entries, id.
	createScript = newScript("create", luaRecord, luaEntry, luaIndex, `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
enterAll(ARGV[3], ARGV[4], ARGV[6], tonumber(ARGV[5]))
put(KEYS[1], ARGV[1], ARGV[2])
return 1`)

	// replaceScript replaces a record in a version. KEYS: record. ARGV: old
	// version, ttl, value, prefix of index keys or '' when the index lies apart,
	// life of entries, after '+' if those that stay are written again, id. When
	// the index lies apart and changes it answers the old header and index, too.
	replaceScript = newScript("replace", luaRecord, luaEntry, luaIndex, `
local value = ARGV[3]
local size = HEADER + struct.unpack('>I4', value, 45)
local state, head, index = record(KEYS[1], ARGV[1])
if state ~= 1 then return state end
if ARGV[4] == '' then
  put(KEYS[1], value, ARGV[2])
  return {1, head, index}
end
local new = string.sub(value, HEADER + 1, size)
if new ~= '' and (string.sub(ARGV[5], 1, 1) == '+' or index ~= new) then
  enterAll(ARGV[4], new, ARGV[6], tonumber(ARGV[5]))
end
put(KEYS[1], value, ARGV[2])
if index ~= new then leave(ARGV[4], index, ARGV[6], new) end
return 1`)

	// swapScript replaces a record in a version, and leaves its index as it is, as
	// most replacements do; it answers 6 if the index is another one. KEYS: record.
	// ARGV: magic and old version, value, where in it the index ends, ttl.
	//
	// It does without the functions until something is wrong: to make and to call
	// them takes longer than all the rest.
	swapScript = newScript("swap", `
local old = redis.pcall('GETRANGE', KEYS[1], 0, ARGV[3])
if type(old) == 'string' and #old >= HEADER and string.sub(old, 1, 36) == ARGV[1] then
  local indexSize, dataSize = struct.unpack('>I4I4', old, 45)
  if HEADER + indexSize == #old
    and (indexSize == 0 or string.sub(old, HEADER + 1) == string.sub(ARGV[2], HEADER + 1, #old))
    and redis.call('STRLEN', KEYS[1]) == #old + dataSize then
    if ARGV[4] == '' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4]) end
    return 1
  end
end`, luaRecord, `
local state = record(KEYS[1], string.sub(ARGV[1], 5))
if state == 1 then return 6 end
return state`)

	// touchScript is replaceScript that keeps the data: ARGV[3] is the stamp and
	// the index.
	touchScript = newScript("touch", luaRecord, luaEntry, luaIndex, `
local state, head, index = record(KEYS[1], ARGV[1])
if state ~= 1 then return state end
local stamp, new = string.sub(ARGV[3], 1, STAMP), string.sub(ARGV[3], STAMP + 1)
if ARGV[4] ~= '' and new ~= '' and (string.sub(ARGV[5], 1, 1) == '+' or index ~= new) then
  enterAll(ARGV[4], new, ARGV[6], tonumber(ARGV[5]))
end
if index == new then
  redis.call('SETRANGE', KEYS[1], 4, stamp)
  local done
  if ARGV[2] == '' then done = redis.pcall('PERSIST', KEYS[1]) else done = redis.pcall('PEXPIRE', KEYS[1], ARGV[2]) end
  if type(done) == 'table' then return 5 end
else
  local data = redis.call('GETRANGE', KEYS[1], HEADER + #index, -1)
  put(KEYS[1], MAGIC .. stamp .. struct.pack('>I4I4', #new, #data) .. new .. data, ARGV[2])
  if ARGV[4] ~= '' then leave(ARGV[4], index, ARGV[6], new) end
end
if ARGV[4] == '' then return {1, head, index} end
return 1`)

	// deleteScript removes a record in a version, or whatever is there. KEYS:
	// record. ARGV: old version or '', prefix of index keys or '' when the index
	// lies apart, id, ':firm' to have an absence confirmed by replicas: then
	// something is written, for a WAIT to wait for. It is the record's own key,
	// since a second one could not be named while the slot moves.
	deleteScript = newScript("delete", luaRecord, luaIndex, `
local state, head, index = record(KEYS[1], ARGV[1])
if type(state) == 'table' then return state end
if state == 0 and ARGV[4] == ':firm' then
  redis.call('SET', KEYS[1], '', 'PX', 1000)
  redis.call('DEL', KEYS[1])
end
if state == 0 or (state ~= 1 and ARGV[1] ~= '') then return state end
redis.call('DEL', KEYS[1])
if state ~= 1 then return 1 end
if ARGV[2] == '' then return {1, head, index} end
leave(ARGV[2], index, ARGV[3], '')
return 1`)

	// confirmScript reads a record, and writes something that changes nothing, so
	// that a WAIT behind it waits for all that was written before. KEYS: record.
	confirmScript = newScript("confirm", `
local value = redis.call('GET', KEYS[1])
if value then
  redis.call('SETRANGE', KEYS[1], 0, string.sub(value, 1, 4))
else
  redis.call('SET', KEYS[1], '', 'PX', 1000)
  redis.call('DEL', KEYS[1])
end
return value`)

	// enterScript writes an entry of an index that lies apart. KEYS: index key.
	// ARGV: id, life, token. An entry that is there keeps its token if ARGV[4] is
	// 'keep'. It answers what was there.
	enterScript = newScript("enter", luaEntry, `
local token, value = ARGV[3], redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[4] == 'keep' and value then token = string.match(value, '^%d+ %d+ (%x+)$') or token end
enter(KEYS[1], ARGV[1], tonumber(ARGV[2]), function(t) return ' ' .. number(t) .. ' ' .. token end)
return value or ''`)

	// undoScript puts back what was there before an entry was written, unless
	// somebody else has written it since. KEYS: index key. ARGV: id, token, what
	// was there or ''.
	undoScript = newScript("undo", `
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value or string.match(value, '^%d+ %d+ (%x+)$') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1`)

	// leaveScript drops an entry of an index that lies apart, unless somebody has
	// written it again a moment ago. KEYS: index key. ARGV: id, token.
	leaveScript = newScript("leave", luaEntry, `
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value then return 0 end
local written, token = string.match(value, '^%d+ (%d+) (%x+)$')
if written and token ~= ARGV[2] and now() - tonumber(written) <= YOUNG then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])`)

	// sweepScript drops entries without record. KEYS: index key. ARGV: prefix of
	// records, or '' when the index lies apart, then id and value of each entry.
	// There it drops what has not changed since it was read, and is not young.
	sweepScript = newScript("sweep", luaEntry, `
local t = now()
for i = 2, #ARGV, 2 do
  if ARGV[1] ~= '' then
    if redis.call('EXISTS', ARGV[1] .. ARGV[i]) == 0 then redis.call('HDEL', KEYS[1], ARGV[i]) end
  elseif redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    local written = string.match(ARGV[i + 1], '^%d+ (%d+)')
    if not written or t - tonumber(written) > YOUNG then redis.call('HDEL', KEYS[1], ARGV[i]) end
  end
end
return 1`)
)

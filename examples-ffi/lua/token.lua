-- SPDX-License-Identifier: MIT OR Apache-2.0
--
-- token - renews its token before every connection attempt; ../../examples-c/token.c in LuaJIT.
--
--     luajit token.lua http://localhost:5000
--
-- The demo server's namespace "/members" lets in who brings a ticket, and each ticket once; its event
-- "who" is acknowledged with what it knows of the client. With a second argument the program ends when
-- it has been connected so many times. SIO_LIBRARY in the environment names the library, if the system
-- does not find it.
--
-- A function of Lua's cannot be called from a thread of the library, so there are no callbacks here:
-- with the option "report_attempts" a message comes when an attempt is due, and the attempt waits
-- until it is freed.

local ffi = require("ffi")

-- What this program uses of sio.h, as it stands there.
ffi.cdef [[
typedef struct sio_client sio_client;
typedef struct sio_message sio_message;
typedef struct { const void *data; size_t len; } sio_buffer;
const char *sio_status_text(int status);
sio_client *sio_client_new(void);
void sio_client_free(sio_client *client);
int sio_client_set(sio_client *client, const char *option, const char *value);
int sio_client_set_header(sio_client *client, const char *name, const char *value);
int sio_client_connect_start(sio_client *client, const char *url, int timeout_ms, uint64_t tag);
int sio_client_disconnect(sio_client *client, int timeout_ms);
int sio_client_call(sio_client *client, const char *event, const char *args, const sio_buffer *buffers,
                    size_t count, int timeout_ms, sio_message **reply);
int sio_client_receive(sio_client *client, int timeout_ms, sio_message **message);
size_t sio_client_error(const sio_client *client, char *buf, size_t size);
int sio_message_kind(const sio_message *message);
const char *sio_message_args(const sio_message *message, size_t *len);
void sio_message_free(sio_message *message);
]]

local sio = ffi.load(os.getenv("SIO_LIBRARY") or "sio")

local FOREVER = -1
local OK, DISCONNECTED = 0, -3
local MESSAGE_CONNECTED, MESSAGE_DISCONNECTED, MESSAGE_ATTEMPT = 2, 3, 4

local client = ffi.gc(sio.sio_client_new(), sio.sio_client_free)

-- Raises a failure as an error with the client's own words.
local function check(status)
    if status ~= OK then
        local text = ffi.new("char[512]")
        sio.sio_client_error(client, text, 512)
        error(ffi.string(sio.sio_status_text(status)) .. ": " .. ffi.string(text), 0)
    end
end

-- A message that is freed when Lua finds nobody who uses it, or earlier by free().
local function owned(output)
    return ffi.gc(output[0], sio.sio_message_free)
end

local function free(message)
    sio.sio_message_free(ffi.gc(message, nil))
end

local function receive()
    local output = ffi.new("sio_message *[1]")
    check(sio.sio_client_receive(client, FOREVER, output))
    return owned(output)
end

-- A real program would ask some server for it.
local number = 0
local function renew_token()
    number = number + 1
    print(("an attempt is due; it brings token %d"):format(number))
    check(sio.sio_client_set(client, "auth", ('{"ticket":"lua-%d-%d"}'):format(os.time(), number)))
    check(sio.sio_client_set_header(client, "X-Client", ("token %d"):format(number)))
end

local function ask_who()
    local output = ffi.new("sio_message *[1]")
    local status = sio.sio_client_call(client, "who", nil, nil, 0, 5000, output)
    -- If the connection is lost again already, another attempt follows.
    if status == DISCONNECTED then return end
    check(status)
    local reply = owned(output)
    print("connected; the server knows " .. ffi.string(sio.sio_message_args(reply, nil)))
    free(reply)
end

local function run(url, rounds)
    for option, value in pairs {
        namespace = "/members",
        report_attempts = "1",
        report_state = "1",
        -- Nothing may wait for the connection, which itself waits for this program.
        offline = "fail",
        -- Also the first connect goes on until the server is there.
        retry_connect = "1",
        reconnect_min_ms = "200",
        reconnect_max_ms = "1000",
    } do
        check(sio.sio_client_set(client, option, value))
    end
    check(sio.sio_client_connect_start(client, url, FOREVER, 0))

    local connected = 0
    while connected < rounds do
        io.stdout:flush()
        local message = receive()
        local kind = sio.sio_message_kind(message)
        if kind == MESSAGE_ATTEMPT then
            renew_token()
        elseif kind == MESSAGE_CONNECTED then
            connected = connected + 1
            ask_who()
        elseif kind == MESSAGE_DISCONNECTED then
            print("disconnected")
        end
        -- Freed now, and not at Lua's leisure: if it was about an attempt, that begins here.
        free(message)
    end
    check(sio.sio_client_disconnect(client, 5000))
end

local good, problem = pcall(run, arg[1] or "http://localhost:5000", tonumber(arg[2]) or math.huge)
if not good then io.stderr:write("token: ", problem, "\n") end
os.exit(good, true)

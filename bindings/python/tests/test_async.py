"""The asyncio client: cancelling loses nothing, loops come and go, nothing spins."""

import asyncio
import gc
import os
import random
import socket
import threading
import time
import unittest
import weakref

import sio
from sio import _async_waiting
from servers import Server, shared, until


class Async(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        # What takes long is told otherwise, on a machine with much to do.
        asyncio.get_running_loop().slow_callback_duration = 60

    async def connected(self, server=None, **arguments):
        options = arguments.pop("options", {})
        client = sio.AsyncSimpleClient(**options)
        self.addAsyncCleanup(client.disconnect)
        await client.connect((server or shared()).url, **arguments)
        self.assertEqual((await client.receive(timeout=5))[0], "welcome")
        return client

    async def test_cancelled_receives_lose_no_event(self):
        """Thousands of receives, cancelled at random moments, against a flood."""
        client = await self.connected()
        chance = random.Random(7)
        count = 5000
        await client.emit("flood", (count, 10))
        got = []
        cancelled = 0
        while len(got) < count:
            task = asyncio.create_task(client.receive())
            # Nothing, some turns of the loop, or a moment.
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            if chance.random() < 0.2:
                await asyncio.sleep(chance.random() * 0.002)
            if chance.random() < 0.5:
                task.cancel()
            try:
                got.append((await task)[1])
            except asyncio.CancelledError:
                cancelled += 1
        self.assertEqual(got, list(range(count)))
        self.assertGreater(cancelled, 100)
        self.assertEqual(await client.receive(timeout=5), ["flood_done", count])

    async def test_wait_for_loses_no_event(self):
        client = await self.connected()
        got = []
        timeouts = 0
        for number in range(300):
            await client.emit("echo", number)
            while len(got) <= number:
                try:
                    got.append((await asyncio.wait_for(client.receive(), random.random() * 0.0002))[1])
                except asyncio.TimeoutError:
                    timeouts += 1
        self.assertEqual(got, list(range(300)))
        self.assertGreater(timeouts, 10)

    async def test_many_receivers_some_cancelled_share_the_events(self):
        client = await self.connected()
        chance = random.Random(11)
        count = 3000
        got = []

        async def receiver():
            while True:
                got.append((await client.receive())[1])

        tasks = [asyncio.create_task(receiver()) for _ in range(10)]
        await client.emit("flood", (count, 10))
        deadline = time.monotonic() + 60
        while len(got) < count + 1 and time.monotonic() < deadline:
            victim = chance.randrange(len(tasks))
            tasks[victim].cancel()
            tasks[victim] = asyncio.create_task(receiver())
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        self.assertEqual(sorted(got[:count]), list(range(count)))

    async def test_cancelled_calls_and_emits(self):
        client = await self.connected()
        chance = random.Random(13)
        answered = 0
        for number in range(500):
            task = asyncio.create_task(client.call("add", (number, 1)))
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            if chance.random() < 0.3:
                await asyncio.sleep(0.001)
            if chance.random() < 0.5:
                task.cancel()
            try:
                self.assertEqual(await task, number + 1)
                answered += 1
            except asyncio.CancelledError:
                pass
        self.assertGreater(answered, 50)
        self.assertEqual(client._waiting._pending, {})
        self.assertEqual(await client.call("add", (2, 3)), 5)

    async def test_a_cancelled_emit_that_waited_has_not_sent(self):
        server = Server("node")
        client = await self.connected(server, options={"reconnection_delay": 0.1})
        server.stop()
        while (await self.emitted(client, "lost")) is not None:
            pass
        # The connection is being made again: these wait for it.
        tasks = [asyncio.create_task(client.emit("echo", number)) for number in range(3)]
        await asyncio.sleep(0.1)
        tasks[1].cancel()
        again = Server("node", "--port", server.port)
        self.addCleanup(again.stop)
        await asyncio.gather(*tasks, return_exceptions=True)
        self.assertTrue(tasks[1].cancelled())
        events = [await client.receive(timeout=10) for _ in range(3)]
        self.assertEqual([event[0] for event in events], ["welcome", "echo", "echo"])
        self.assertEqual([event[1] for event in events[1:]], [0, 2])

    async def emitted(self, client, data):
        """None once an emit waits."""
        try:
            await asyncio.wait_for(client.emit("echo", data), 0.1)
            await asyncio.sleep(0.01)
            return data
        except asyncio.TimeoutError:
            return None

    async def test_a_cancelled_connect_leaves_nothing(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = sio.AsyncSimpleClient()
        for _ in range(3):
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(client.connect(url), 0.05)
            self.assertIsNone(client.sid)
        await client.connect(shared().url)
        self.assertEqual(await client.call("add", (2, 3)), 5)
        disconnecting = asyncio.create_task(client.disconnect())
        await asyncio.sleep(0)
        disconnecting.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await disconnecting
        await client.connect(shared().url)
        self.assertEqual(await client.call("add", (2, 3)), 5)
        await client.disconnect()

    async def test_connect_gives_up_in_time(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = sio.AsyncSimpleClient()
        begun = time.monotonic()
        with self.assertRaises(sio.exceptions.ConnectionError):
            await client.connect(url, wait_timeout=0.2)
        self.assertLess(time.monotonic() - begun, 2)

    async def test_many_tasks_at_once(self):
        client = await self.connected()

        async def work(number):
            await client.emit("echo", number)
            answers = await asyncio.gather(client.call("add", (number, 1)), client.call("echo_ack", number))
            return answers, (await client.receive())[1]

        results = await asyncio.gather(*(work(number) for number in range(200)))
        self.assertEqual([answers for answers, _ in results], [[n + 1, n] for n in range(200)])
        self.assertEqual(sorted(event for _, event in results), list(range(200)))

    async def test_many_clients_in_one_loop(self):
        async def one(number):
            async with sio.AsyncSimpleClient() as client:
                await client.connect(shared().url)
                await client.receive(timeout=20)
                await client.emit("echo", number)
                return (await client.receive(timeout=20))[1], await client.call("add", (number, 1))

        results = await asyncio.gather(*(one(number) for number in range(50)))
        self.assertEqual(results, [(number, number + 1) for number in range(50)])

    async def test_no_thread_of_python_is_used(self):
        before = set(threading.enumerate())
        client = await self.connected(auth=lambda: {"a": "function"})
        await client.call("add", (1, 1))
        self.assertEqual(set(threading.enumerate()), before)

    async def test_waiting_costs_nothing(self):
        """Also while unread events would keep the descriptor readable."""
        for auth in (None, lambda: None):
            client = await self.connected(auth=auth)
            await client.emit("flood", (500, 100))
            await client.call("add", (1, 1))
            used = time.process_time()
            await asyncio.sleep(0.7)
            with self.assertRaises(sio.exceptions.TimeoutError):
                await client.call("no_ack", timeout=0.8)
            self.assertLess(time.process_time() - used, 0.3)
            for number in range(500):
                self.assertEqual((await client.receive(timeout=5))[:2], ["flood", number])
            await client.receive(timeout=5)
            used = time.process_time()
            with self.assertRaises(sio.exceptions.TimeoutError):
                await client.receive(timeout=1.5)
            self.assertLess(time.process_time() - used, 0.1)

    async def test_a_flood_does_not_starve_other_tasks(self):
        client = await self.connected()
        turns = 0

        async def other():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        await client.emit("flood", (3000, 10))
        await asyncio.sleep(0.5)
        task = asyncio.create_task(other())
        while (await client.receive(timeout=5))[0] != "flood_done":
            pass
        task.cancel()
        self.assertGreater(turns, 20)

    async def test_more_unread_events_than_fit_keep_their_order(self):
        """With calls waiting in between, which move events out of the library."""
        limit, _async_waiting.INBOX_LIMIT = _async_waiting.INBOX_LIMIT, 20_000
        self.addCleanup(setattr, _async_waiting, "INBOX_LIMIT", limit)
        for auth in (None, lambda: None):
            client = await self.connected(auth=auth)
            await client.emit("flood", (1000, 200))
            self.assertEqual(await client.call("slow_ack", 300), 300)
            self.assertLess(client._waiting._inbox_bytes, 22_000)
            got = []
            for number in range(1000):
                got.append((await client.receive(timeout=5))[1])
                if not number % 100:
                    self.assertEqual(await client.call("add", (number, 1)), number + 1)
            self.assertEqual(got, list(range(1000)))
            self.assertEqual((await client.receive(timeout=5))[0], "flood_done")
            await client.emit("echo", "after the crowd")
            self.assertEqual((await client.receive(timeout=5))[1], "after the crowd")

    async def test_every_waiting_task_ends_with_the_connection(self):
        client = await self.connected()
        tasks = [asyncio.create_task(client.receive()) for _ in range(5)]
        tasks += [asyncio.create_task(client.call("no_ack")) for _ in range(5)]
        await asyncio.sleep(0.1)
        await client.emit("kick")
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        self.assertEqual({type(error) for error in done}, {sio.exceptions.DisconnectedError})
        self.assertEqual(done[5].details["sent"], True)

    async def test_a_failing_function_at_a_reconnection_is_logged(self):
        calls = []

        async def auth():
            calls.append(1)
            if len(calls) == 2:
                raise LookupError("no ticket now")
            return {"n": len(calls)}

        client = await self.connected(
            auth=auth, transports=["websocket"], options={"reconnection_delay": 0.1}
        )
        with self.assertLogs("sio.client", "ERROR") as logs:
            await client.emit("drop")
            await client.receive(timeout=10)
        self.assertIn("no ticket now", logs.output[0])

    async def test_a_client_that_nobody_holds_is_freed(self):
        other = sio.AsyncSimpleClient()
        await other.connect(shared().url, auth=lambda: None)
        other.cycle = other
        reader, gone = other._waiting._reader, weakref.ref(other._handle)
        self.assertTrue(reader.reading)
        del other
        gc.collect()
        self.assertIsNone(gone())
        self.assertFalse(reader.reading)
        # The number may be another descriptor's now.
        self.assertFalse(asyncio.get_running_loop().remove_reader(reader.fd))

    async def test_a_client_freed_in_another_thread_leaves_the_loop_first(self):
        other = sio.AsyncSimpleClient()
        await other.connect(shared().url, auth=lambda: None)
        reader, held = other._waiting._reader, [other]
        del other
        thread = threading.Thread(target=held.clear)
        thread.start()
        while thread.is_alive() or reader.reading:
            await asyncio.sleep(0.01)
        thread.join()
        self.assertFalse(asyncio.get_running_loop().remove_reader(reader.fd))


class Loops(unittest.TestCase):
    async def use(self, client):
        await client.connect(shared().url)
        self.assertEqual((await client.receive(timeout=5))[0], "welcome")
        self.assertEqual(await client.call("add", (2, 3)), 5)

    def test_a_client_goes_from_loop_to_loop(self):
        client = sio.AsyncSimpleClient()

        async def go_on():
            await client.emit("echo", "in another loop")
            self.assertEqual((await client.receive(timeout=5))[1], "in another loop")
            self.assertEqual(await client.call("add", (2, 3)), 5)

        asyncio.run(self.use(client))
        asyncio.run(go_on())
        asyncio.run(client.disconnect())
        asyncio.run(self.use(client))
        asyncio.run(client.disconnect())

    def test_what_waited_in_a_closed_loop_is_forgotten(self):
        client = sio.AsyncSimpleClient()

        async def begin():
            await self.use(client)
            asyncio.create_task(client.receive())
            asyncio.create_task(client.call("slow_ack", 200))
            await asyncio.sleep(0.05)

        async def go_on():
            await client.emit("echo", "kept")
            await asyncio.sleep(0.3)
            self.assertEqual((await client.receive(timeout=5))[1], "kept")
            self.assertEqual(await client.call("add", (2, 3)), 5)
            await client.disconnect()

        asyncio.run(begin())
        asyncio.run(go_on())

    def test_two_running_loops_are_refused(self):
        client = sio.AsyncSimpleClient()
        errors = []

        def elsewhere():
            async def receive():
                try:
                    await client.receive(timeout=1)
                except RuntimeError as error:
                    errors.append(str(error))

            asyncio.run(receive())

        async def main():
            await self.use(client)
            await asyncio.get_running_loop().run_in_executor(None, elsewhere)
            await client.disconnect()

        asyncio.run(main())
        self.assertIn("another event loop", errors[0])

    def test_no_descriptor_and_no_thread_is_left(self):
        def left():
            return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

        async def one():
            async with sio.AsyncSimpleClient() as client:
                await self.use(client)

        asyncio.run(one())
        gc.collect()
        before = left()
        for _ in range(10):
            asyncio.run(one())
        gc.collect()
        self.assertTrue(until(lambda: left()[0] <= before[0] and left()[1] <= before[1]), (before, left()))


if __name__ == "__main__":
    unittest.main()

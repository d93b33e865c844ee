"""Arguments to JSON and buffers."""

import json
import random
import unittest

from sio._codec import Codec


def encoded(data, codec=Codec()):
    text, array, count = codec.encode(data)
    if text is None:
        return None, []
    return json.loads(text), [bytes(array[index].data[: array[index].len]) for index in range(count.value)]


def placeholder(number):
    return {"_placeholder": True, "num": number}


class Encoding(unittest.TestCase):
    def test_arguments(self):
        self.assertEqual(encoded(None), (None, []))
        self.assertEqual(encoded(()), (None, []))
        self.assertEqual(encoded("a"), (["a"], []))
        self.assertEqual(encoded(("a", None, [1])), (["a", None, [1]], []))
        self.assertEqual(encoded([1, 2]), ([[1, 2]], []))

    def test_buffers_are_numbered_as_they_come(self):
        data = (b"0", {"a": [bytearray(b"1"), {"b": memoryview(b"2")}], "c": (b"3",)}, b"4")
        values, buffers = encoded(data)
        self.assertEqual(
            values,
            [
                placeholder(0),
                {"a": [placeholder(1), {"b": placeholder(2)}], "c": [placeholder(3)]},
                placeholder(4),
            ],
        )
        self.assertEqual([buffer for buffer in buffers], [b"0", b"1", b"2", b"3", b"4"])

    def test_text_is_compact_utf_8_and_lone_surrogates_are_escaped(self):
        self.assertEqual(Codec().encode(({"é": [1, "⚡"]},))[0], '[{"é":[1,"⚡"]}]'.encode())
        self.assertEqual(Codec().encode("\ud800é")[0], b'["\\ud800\\u00e9"]')
        text, _, count = Codec().encode(("\udc00", b"x"))
        self.assertEqual((json.loads(text), count.value), (["\udc00", placeholder(0)], 1))

    def test_the_same_as_the_standard_library_for_random_data(self):
        chance = random.Random(3)

        def value(depth):
            kind = chance.randrange(9 if depth else 7)
            if kind == 7:
                return [value(depth - 1) for _ in range(chance.randrange(4))]
            if kind == 8:
                return {value(0).__repr__(): value(depth - 1) for _ in range(chance.randrange(4))}
            return (
                None, True, chance.randrange(-(2**70), 2**70), chance.random() * 10 ** chance.randrange(-9, 9),
                "".join(map(chr, (chance.randrange(0xD800) for _ in range(chance.randrange(9))))),
                "", False,
            )[kind]

        for _ in range(500):
            data = value(4)
            self.assertEqual(encoded((data,)), ([json.loads(json.dumps(data))], []))

    def test_what_is_not_for_json(self):
        for data in ({1}, object(), [b"1", {2}], {b"bytes": 1}, 1j):
            with self.assertRaises(TypeError):
                Codec().encode(data)
        for data in (float("nan"), [float("inf")]):
            with self.assertRaises(ValueError):
                Codec().encode(data)
        deep = []
        deep.append(deep)
        with self.assertRaises((RecursionError, ValueError)):
            Codec().encode(deep)


if __name__ == "__main__":
    unittest.main()

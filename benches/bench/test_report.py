import json
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from bench import charts, made_up, publish, report, targets
from bench.plot import Log, apart, decades_around
from bench.results import CPU, Results

WHOLE = made_up.results()


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows(markdown, section):
    """The table below a heading: each row by its first cell."""
    lines = markdown.split(f"### {section}\n")[1].split("\n### ")[0].split("<details>")[0].splitlines()
    found = [cells_of(line) for line in lines if line.startswith("|")]
    return {row[0]: dict(zip(found[0], row)) for row in found[2:]}


class Tables(unittest.TestCase):
    def test_a_row_says_all_at_once(self):
        row = rows(report.markdown(WHOLE), "By websocket: processor time")["receive text 64 B"]
        self.assertEqual(row["sio"], "**0.151 (0.126–0.176)**")
        self.assertEqual(row["the limit"], "0.0754 (0.0628–0.0879)")
        self.assertEqual(row["sio to the limit"], "2.00 ×")
        self.assertEqual(row["best peer"], "3.01 (2.51–3.52) socket.io-client")
        self.assertEqual(row["peer to sio"], "20.0 ×")

    def test_the_best_peer_is_chosen_for_each_cell(self):
        results = made_up.results(("receive/websocket/text-*",))
        for run in results.runs("receive/websocket/text-1k", "rust_socketio-async", "pinned"):
            run["cpu_us"] /= 10
        found = rows(report.markdown(results), "By websocket: processor time")
        self.assertIn("socket.io-client", found["receive text 64 B"]["best peer"])
        self.assertIn("rust_socketio, async", found["receive text 1 KiB"]["best peer"])

    def test_it_says_how_many_figures_are_reached(self):
        found = targets.verdicts(WHOLE)
        must, goal = (sum(bool(getattr(each, name)) for each in found) for name in ("must", "goal"))
        asked = sum(each.must is not None for each in found)
        self.assertIn(f"{must} of {asked} that must hold do, and {goal} of ", report.markdown(WHOLE))
        self.assertLess(must, asked)

    def test_runs_that_are_too_short_are_named(self):
        results = made_up.results(("receive/websocket/text-64",))
        self.assertEqual(results.short(1), [])
        results.runs("receive/websocket/text-64", "limit", "free")[3]["wall_us"] = 0.5
        self.assertEqual(results.short(1), ["receive/websocket/text-64 limit"])

    def test_neither_limit_nor_python_package_is_a_peer(self):
        self.assertEqual(WHOLE.best("receive/websocket/text-64", CPU), "socket.io-client")

    def test_every_cell_stands_in_the_tables(self):
        text = report.markdown(WHOLE)
        for name in WHOLE.cells:
            if WHOLE.operation(name) in ("recv", "emit", "call", "sleepers", "drain"):
                self.assertIn(f"| `{name}` |", text)

    def test_what_was_not_measured_is_not_shown(self):
        text = report.markdown(made_up.results(("receive/websocket/text-64",)))
        self.assertNotIn("### Idle clients", text)
        self.assertIn("receive text 64 B", text)
        self.assertNotIn("receive text 1 KiB", text)

    def test_all_tables_are_whole(self):
        width = None
        for line in report.markdown(WHOLE).splitlines():
            if not line.startswith("|"):
                width = None
                continue
            self.assertIn(width, (None, line.count("|")), line)
            width = line.count("|")

    def test_a_quick_look_and_a_busy_machine_are_told(self):
        self.assertNotIn("rough", report.markdown(WHOLE))
        self.assertIn("rough", report.markdown(made_up.results(("memory/*",), quick=True)))
        busy = made_up.results(("memory/*",))
        busy.machine["load"] = 3.0
        self.assertIn("Other programs were at work", report.markdown(busy))


class Kept(unittest.TestCase):
    def test_results_are_read_as_they_were_written(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.json"
            WHOLE.write(path)
            self.assertEqual(report.markdown(Results.read(path)), report.markdown(WHOLE))

    def test_those_of_another_version_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.json"
            path.write_text(json.dumps({"form": 0}))
            with self.assertRaises(ValueError):
                Results.read(path)


class Plots(unittest.TestCase):
    def test_they_are_well_formed_and_name_every_line(self):
        for draw in (charts.throughput, charts.round_trips, charts.memory):
            root = ElementTree.fromstring(draw(WHOLE))
            said = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
            self.assertIn("sio", said)
            self.assertTrue(any(text.startswith("sio for Python") for text in said))
            self.assertTrue(any(text.startswith("python-socketio") for text in said))

    def test_they_are_for_light_and_for_dark(self):
        self.assertIn("prefers-color-scheme:dark", charts.memory(WHOLE))

    def test_nothing_leaves_the_page(self):
        for draw in (charts.throughput, charts.round_trips, charts.memory):
            root = ElementTree.fromstring(draw(WHOLE))
            width, height = int(root.get("width")), int(root.get("height"))
            for element in root.iter("{http://www.w3.org/2000/svg}text"):
                # About what a letter takes.
                length = len(element.text) * float(element.get("font-size")) * 0.6
                left = float(element.get("x")) - {"end": length, "middle": length / 2}.get(
                    element.get("text-anchor"), 0
                )
                self.assertGreaterEqual(left, 0, element.text)
                self.assertLessEqual(left + length, width, element.text)
                self.assertLess(float(element.get("y")), height, element.text)

    def test_without_values_there_is_none(self):
        nothing = made_up.results(("memory/*",))
        self.assertEqual(
            [draw(nothing) for draw in (charts.throughput, charts.round_trips, charts.memory)],
            [None] * 3,
        )

    def test_labels_keep_their_distance_and_their_order(self):
        wanted = [100.0, 101.0, 40.0, 99.0, 200.0]
        places = apart(wanted, 17, 0, 300)
        order = sorted(range(5), key=lambda index: wanted[index])
        for before, after in zip(order, order[1:]):
            self.assertGreaterEqual(places[after] - places[before], 17 - 1e-9)
        self.assertEqual(places[2], 40.0)
        self.assertEqual(places[4], 200.0)

    def test_labels_stay_within_the_panel(self):
        places = apart([1.0, 2.0, 3.0], 10, 0, 100)
        self.assertEqual(places, [0, 10, 20])
        places = apart([99.0, 98.0, 97.0], 10, 0, 100)
        self.assertEqual(places, [100, 90, 80])

    def test_a_logarithmic_scale(self):
        scale = Log(1, 1000, 0, 300)
        self.assertAlmostEqual(scale(10), 100)
        self.assertEqual(scale.decades(), [1, 10, 100, 1000])
        self.assertEqual(decades_around([2, 30]), (1, 100))


class Published(unittest.TestCase):
    def test_only_what_is_between_the_marks_changes(self):
        text = f"before\n{publish.BEGIN}\nold\n{publish.END}\nafter\n"
        once = publish.put_between(text, "new")
        self.assertEqual(once, f"before\n{publish.BEGIN}\n\nnew\n\n{publish.END}\nafter\n")
        self.assertEqual(publish.put_between(once, "new"), once)

    def test_without_the_marks_nothing_is_written(self):
        for text in (
            "",
            publish.BEGIN,
            f"{publish.END}{publish.BEGIN}",
            f"{publish.BEGIN}{publish.END}" * 2,
        ):
            with self.assertRaises(ValueError):
                publish.put_between(text, "new")

    def test_plots_stand_beside_the_document(self):
        with tempfile.TemporaryDirectory() as folder:
            document = Path(folder) / "performance.md"
            document.write_text(f"{publish.BEGIN}\n{publish.END}\n")
            publish.publish(document, "a table", {"memory.svg": charts.memory(WHOLE)})
            self.assertIn(
                "![Memory by length of the queue](performance/memory.svg)", document.read_text()
            )
            self.assertIn("a table", document.read_text())
            self.assertTrue((Path(folder) / "performance" / "memory.svg").read_text().startswith("<svg"))

    def test_the_document_has_the_marks(self):
        from bench.clients import TOP

        publish.put_between((TOP / "docs" / "performance.md").read_text(), "")


if __name__ == "__main__":
    unittest.main()

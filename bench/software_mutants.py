"""Faults of the integer model, the compiler, the driver, and of what imports networks and events."""

from mutant import mutants

__all__ = ["SOFTWARE"]

NETWORK = "sw/spikeplane/network"
MODEL_TESTS = "tests/sw/network/test_model.py"
GRAPH_TESTS = "tests/sw/network/test_random_graphs.py"
MODEL = [
    *mutants(
        "model", "hw/spikeplane_hw/neuron.py", "tests/hw/test_neuron.py",
        ("spike = u > self.fire_above", "spike = u >= self.fire_above"),
        ("(state * self.decode_scale + (1 << (DECODE_SHIFT - 1)))", "(state * self.decode_scale)"),
        ("v = u * ~spike", "v = u"),
        (".clip(-half, half - 1) + half", ".clip(-half // 4, half - 1) + half"),
        ("(total * multiplier + offset) >> shift", "(total * multiplier >> shift) + (offset >> shift)"),
    ),
    *mutants(
        "model", f"{NETWORK}/endings.py", MODEL_TESTS,
        ("torch.zeros_like(current[:, 0])", "torch.ones_like(current[:, 0])"),
        ("(saturated | clipped[:, step])", "saturated"),
        ("spikes[:, step] = fired", "spikes[:, 0] = fired"),
        ("x.to(torch.int64).sum((1, 3, 4))", "x[:, -1:].to(torch.int64).sum((1, 3, 4))"),
    ),
    *mutants(
        "model", f"{NETWORK}/counting.py", f"{MODEL_TESTS} {GRAPH_TESTS}",
        ("longest.append(reads.amax(1))", "longest.append(reads.amin(1))"),
        ("active * walk.weight_bits * channels", "active * walk.weight_bits * walk.channels"),
        ("-(-channels // config.lanes) * walk", "(channels // config.lanes) * walk"),
    ),
    *mutants("model", f"{NETWORK}/term.py", MODEL_TESTS, ("= 1 << 24, 1 << 53", "= 1 << 30, 1 << 53")),
    *mutants("model", f"{NETWORK}/stored.py", GRAPH_TESTS,
             ("(total + (1 << (-self.shift - 1))) >>", "total >>")),
    *mutants("model", f"{NETWORK}/product.py", GRAPH_TESTS,
             ("right if self.transposed else right.transpose(3, 4)", "right.transpose(3, 4)")),
]
COMPILER_FOLDER = "sw/spikeplane/compiler"
COMPILE_TESTS = "tests/sw/compiler/test_compile.py"
WORD_TESTS = "tests/sw/compiler/test_interpreter.py"
COMPILER = [
    *mutants(
        "compiler", f"{COMPILER_FOLDER}/arrangement.py", f"{COMPILE_TESTS} {WORD_TESTS}",
        ("last_lanes=layer.channels - (groups - 1) * group_lanes", "last_lanes=group_lanes"),
    ),
    *mutants("compiler", f"{COMPILER_FOLDER}/weight_places.py", f"{COMPILE_TESTS} {WORD_TESTS}",
             ("self.identity = 0 if streaming else 1", "self.identity = 0"),
             ("placed.weight_slots else placed.weight_slots", "placed.weight_slots else placed.weight_size")),
    *mutants("compiler", f"{COMPILER_FOLDER}/state_places.py", f"{WORD_TESTS} tests/sw/compiler/test_state_places.py",
             ("places, next_chunk = {}, config.shared_chunks", "places, next_chunk = {}, 0"),
             ("other.lasting or other.last >= stay.first", "other.last >= stay.first"),
             ("outside[stay.name], bursts = bursts, bursts + stream_words(whole[stay.name], config)",
              "outside[stay.name] = bursts")),
    *mutants("compiler", f"{COMPILER_FOLDER}/placed.py", f"{COMPILE_TESTS} {WORD_TESTS}",
             ("self.term.taps[-1] - exponent", "exponent")),
    *mutants(
        "compiler", f"{COMPILER_FOLDER}/program.py", f"{WORD_TESTS} {COMPILE_TESTS}",
        ("source.base - placed.pad_rows * source.row_slots", "source.base"),
        ("placed.pass_end - 1", "placed.pass_end"),
        ('term.weight_kind is WeightKind.ODD', 'term.weight_kind is not WeightKind.ODD'),
        ('passes[-1]["double"] = 1', 'passes[-1]["double"] = 0'),
        ("reference >> power - beside & 1", "reference & 1"),
        ("- plane.delay * source.step_slots", "+ plane.delay * source.step_slots"),
        ("if not low <= value <= high", "if not low <= value <= high + 1"),
    ),
    *mutants(
        "compiler", f"{COMPILER_FOLDER}/stays.py", " ".join(
            f"tests/sw/compiler/test_moves.py::test_spilled_maps_change_no_answer[narrow-registers-{batch}]"
            for batch in (1, 3)
        ),
        ("other.last >= stay.first", "other.last > stay.first"),
        ("if reader > last + 1 or", "if"),
    ),
    *mutants(
        "compiler", f"{COMPILER_FOLDER}/parts.py", "tests/sw/compiler/test_parts.py",
        ("(rows.stop - 1) * stride - padding + kernel", "rows.stop * stride"),
        ("max(0, -top)", "padding"),
        ("exponent=layer.exponent + planes.start", "exponent=layer.exponent"),
        ("piece.base + first - held.start", "piece.base - held.start"),
    ),
    *mutants("compiler", f"{COMPILER_FOLDER}/spike_map.py", "tests/sw/compiler/test_spike_map.py",
             ("int(values.max()) >> self.planes", "0"),
             ("bits[:pixels.size] = pixels.ravel()", "bits[:pixels.size] = 0")),
    *mutants("compiler", f"{COMPILER_FOLDER}/event_words.py", "tests/sw/compiler/test_event_words.py",
             ("np.uint32(member.offset)", "np.uint32(member.width)")),
    *mutants("compiler", f"{COMPILER_FOLDER}/image.py", "tests/sw/compiler/test_image.py",
             ('interface_hash(image.config) != header.get("interface_hash")', "False"),
             ('image.config.hash != header["config_hash"]', "False")),
]
DEVICE = "sw/spikeplane/device"
DEVICE_TESTS = " ".join(f"tests/sw/device/test_{name}.py" for name in ("driver", "streaming", "stop"))
DRIVER = [
    *mutants(
        "driver", f"{DEVICE}/session.py", f"{DEVICE_TESTS}",
        ("self._sequence = None  # until the replies are there", "pass"),
        ("if place is None or reply.command", "if reply.command"),
        ("if (reply.count, len(reply.payload)) != whole:", "if False:"),
        ("if reply.status is not Status.OUT_OF_ORDER:", "if True:"),
    ),
    *mutants(
        "driver", f"{DEVICE}/frames.py", "tests/sw/device/test_frames.py",
        ("zlib.crc32(body) != int.from_bytes(crc, \"little\")", "False"),
        ("replace(ESC_BYTE, STUFFED_ESC).replace(END_BYTE, STUFFED_END)",
         "replace(END_BYTE, STUFFED_END).replace(ESC_BYTE, STUFFED_ESC)"),
        ("if len(self.rest) > LONGEST_FRAME", "if False"),
    ),
    *mutants(
        "driver", f"{DEVICE}/driver.py", f"{DEVICE_TESTS}",
        ("                control = Control.RUN | Control.RESUME", "                control = Control.RUN"),
        ("if self._stream is not None:", "if False:"),
        ("            self.close()\n            raise\n", "            raise\n"),
        ("Control.STOP.value)\n        for _", "Control.CLEAR.value)\n        for _"),
        ("if self._busy():\n            self.stop()", "if False:\n            self.stop()"),
        ("self.image = self._stream = None", "self._stream = None"),
        ("if self._stream is not this:", "if False:"),
        ("if register_map != expected", "if False"),
    ),
    *mutants("driver", f"{DEVICE}/runs.py", f"{DEVICE_TESTS}",
             ("if after != (before + 1) % (1 << RUN_COUNT_WIDTH):", "if False:"),
             ("if (accepted, rejected) != (events % (1 << EVENT_COUNT_WIDTH), 0):", "if False:")),
    *mutants("driver", f"{DEVICE}/answer.py", f"{DEVICE_TESTS}",
             ("expected[counter.value] != found[counter.value]", "False")),
    *mutants("driver", f"{DEVICE}/words.py", "tests/sw/device/test_driver.py",
             ("(values < 0) | (values >= limit)", "values > limit"), ("first = early[0] + 1", "first = early[0]")),
]
IMPORTING_FOLDER, IMPORTING_TESTS = "sw/spikeplane/importing", "tests/sw/importing"
BOARD_TEST = f"{IMPORTING_TESTS}/test_imported.py::test_modules_spike_the_same_on_a_board"
IMPORTING = [
    *mutants(
        "importing", f"{IMPORTING_FOLDER}/chain.py", f"{IMPORTING_TESTS}/test_modules.py",
        ("            taken = fired * threshold", "            potential = potential - fired * threshold"),
        ("stage.pooling is None else stage.pooling.pool(spikes)", "True else spikes"),
    ),
    *mutants(
        "importing", f"{IMPORTING_FOLDER}/build.py", BOARD_TEST,
        ("        part = _kept(made)", "        pass"),
        ("ending=Fire(neuron=fired, pooling=stage.pooling)", "ending=Fire(neuron=fired)"),
    ),
    *mutants("importing", "sw/spikeplane/training/net/imported.py", f"{IMPORTING_TESTS}/test_tuning.py",
             ("math.floor(scaled) if strict", "math.floor(scaled) - 1 if strict")),
    *mutants(
        "importing", f"{IMPORTING_FOLDER}/snntorch_modules.py", f"{IMPORTING_TESTS}/test_modules.py",
        ("module.beta.clamp(0, 1)", "module.beta"),
        ("delayed=reset is Reset.SOFT", "delayed=False"),
        ("if module.state_function.__name__ != function:", "if False:"),
    ),
    *mutants(
        "importing", f"{IMPORTING_FOLDER}/spikingjelly_modules.py", f"{IMPORTING_TESTS}/test_modules.py",
        ("float(module.v_threshold) - base", "float(module.v_threshold)"),
        ("decays = part > 0 and module.decay_input", "decays = part > 0"),
        ("if len(modes) > 1:", "if False:"),
    ),
    *mutants(
        "importing", "sw/spikeplane/exporting/nir_export.py", "tests/sw/exporting/test_nir_export.py",
        ("exponent * source.greatest", "exponent"),
        ("0.5 / area", "1.5 / area"),
        ("(self.network.logit_scale / self.network.input.steps)", "self.network.logit_scale"),
        ("- (1 << (term.shift - 1))", "+ (1 << (term.shift + 7))"),
    ),
]
LIVE_FOLDER, LIVE_TESTS = "sw/spikeplane/live", "tests/sw/live"
LIVE = [
    *mutants(
        "live", f"{LIVE_FOLDER}/live.py", f"{LIVE_TESTS}/test_live.py",
        ("maxlen=window + 1", "maxlen=window"),
        (".astype(np.int32).astype(np.int64)", ""),
        ("wait=source.patient", "wait=True"),
        ("        feeder.join()\n", ""),
    ),
    *mutants(
        "live", f"{LIVE_FOLDER}/bin_queue.py", f"{LIVE_TESTS}/test_bin_queue.py",
        ("lost = self._bins.popleft()", "lost = self._bins.pop()"),
        ("if self._error is not None:", "if False:"),
    ),
    *mutants(
        "live", f"{LIVE_FOLDER}/packets.py", f"{LIVE_TESTS}/test_packets.py",
        ("at + (0 if untimed[at] else 1)", "at"),
        ("self._left = self._left[used:]", "self._left = b''"),
    ),
    *mutants(
        "live", f"{LIVE_FOLDER}/sources.py", f"{LIVE_TESTS}/test_sources.py",
        ("if self.datagrams and content:", "if False:"),
        ("elif stopping.wait(max(0.0, begun", "elif stopping.wait(0 * max(0.0, begun"),
    ),
]
SOFTWARE = [*MODEL, *COMPILER, *DRIVER, *IMPORTING, *LIVE]

"""Faults on purpose: one line of a file changed, and the tests that must notice."""

from dataclasses import dataclass

__all__ = ["MUTANTS", "Mutant"]


@dataclass(frozen=True)
class Mutant:
    """``old``, which the file holds exactly once, becomes ``new``; one of ``tests`` must fail then."""

    area: str
    file: str
    tests: tuple[str, ...]
    old: str
    new: str


def mutants(area: str, file: str, tests: str, *changes: tuple[str, str]) -> list[Mutant]:
    """Return mutants of one file; ``tests`` are pytest node ids with spaces in between."""
    return [Mutant(area, file, tuple(tests.split()), old, new) for old, new in changes]


HW, TESTS = "hw/spikeplane_hw", "tests/hw"
UPDATE_TESTS = " ".join(f"{TESTS}/test_update.py::test_{case}" for case in (
    "matches_neuron[narrow-4]", "matches_neuron[wide-4]", "matches_neuron[chunks-2]", "matches_neuron[narrow-16]",
    "logits[narrow-0]", "logits[wide-12]", "no_cycle_is_lost[narrow]", "no_cycle_is_lost[wide]",
    "streams[narrow-0]", "digits[narrow]",
))
"""The whole file takes minutes."""
GATEWARE = [
    *mutants(
        "gateware", f"{HW}/registers.py", f"{TESTS}/test_registers.py",
        ("(clear_left > 1)", "(clear_left > 2)"),
        ("(flags_left > 1)", "(flags_left > 3)"),
        ("(steps_left != 0) | (flags_left", "(steps_left > 1) | (flags_left"),
        ("first_word + clear_left - (clear_left != 0)", "first_word + clear_left"),
        ("wanted & self.events_idle", "wanted"),
        ("started & ~self.busy & ~self.stopping", "started & ~self.busy"),
        ("asked.eq(~occupied)", "asked.eq(1)"),
        ("stop_left.eq(STOP_CYCLES - 1)", "stop_left.eq(STOP_CYCLES - 2)"),
        ("[wanted.eq(0), clear_left.eq(0)", "[clear_left.eq(0)"),
        ("self.write & ~running), m.Switch", "self.write), m.Switch"),
    ),
    *mutants(
        "gateware", f"{HW}/banks.py", f"{TESTS}/test_banks.py",
        ("bank.level < config.queue_depth - self.in_flight", "bank.level <= config.queue_depth - self.in_flight"),
        ("spike_read_latency(config) + 1 + config.wire", "spike_read_latency(config) + config.wire"),
        ("count.eq(Mux(advance, 0, count + pops[e]))", "count.eq(count + pops[e])"),
        ("double.eq(advance & info.double & ~info.end)", "double.eq(advance & info.double)"),
        ("clear.eq((advance & info.end) | self.start)", "clear.eq(advance & info.end)"),
        ("(~info.end | snapshot_free | self.free)", "1"),
    ),
    *mutants(
        "gateware", f"{HW}/sdram.py", f"{TESTS}/test_sdram.py",
        ("BURST_BEATS - 1 + times.write_recovery - 1)", "BURST_BEATS - 1 + times.write_recovery - 2)"),
        ("turn.eq(BURST_BEATS + chip.cas_latency)", "turn.eq(BURST_BEATS + chip.cas_latency - 2)"),
        ("issue(SdramCommand.READ, BURST_BEATS)", "issue(SdramCommand.READ, BURST_BEATS - 1)"),
        ("interval.eq(times.refresh_interval - 1)", "interval.eq(times.refresh_interval + 5)"),
    ),
    *mutants(
        "gateware", f"{HW}/weight_stream.py", f"{TESTS}/test_weight_stream.py",
        ("~ahead & streaming & ~wanted[-1]", "~ahead & streaming"),
        ("freed.eq(need)", "freed.eq(need + 1)"),
        ("ahead.eq(1),", "ahead.eq(0),"),
        ("(self.walked | (self.hold & self.quiet))", "(self.walked | self.hold)"),
    ),
    *mutants(
        "gateware", f"{HW}/external_port.py", f"{TESTS}/test_external_port.py",
        ("with m.If(rested & rest):", "with m.If(1):"),
        ("room.eq(pending <= (MOST_BURSTS - 3) * BURST_BEATS)", "room.eq(1)"),
        ("rest.eq((pending == 0) & ~counting)", "rest.eq(pending == 0)"),
    ),
    *mutants(
        "gateware", f"{HW}/state_memory.py", f"{TESTS}/test_mover.py",
        ("(part == parts - 1)", "(part == 0)"),
        ("before.eq(gathered[BURST_BITS:])", "before.eq(gathered)"),
        ("write_address = Mux(move.enable, word, write_address)", "write_address = Mux(move.enable, 0, write_address)"),
    ),
    *mutants(
        "gateware", f"{HW}/mover.py", f"{TESTS}/test_mover.py",
        ("move.burst | of_sample", "move.burst"),
        ("self.word.eq(self.word + 1), coming", "self.word.eq(self.word), coming"),
        ("self.moving.eq(coming != 0)", "self.moving.eq(coming > 1)"),
        ("before.eq(before + move.words + 1)", "before.eq(before + move.words)"),
    ),
    *mutants(
        "gateware", f"{HW}/parameter_moves.py", f"{TESTS}/test_parameter_moves.py",
        ("<< units * word[: exact_log2(parts)]", "<< 0"),
        ("burst.eq(move.burst), write", "burst.eq(0), write"),
    ),
    *mutants(
        "gateware", f"{HW}/fetch.py", f"{TESTS}/test_fetch.py",
        ("issue.eq(busy & self.room)", "issue.eq(busy)"),
        ("weight.eq(row.weight - row.slot[:offset_width])", "weight.eq(row.weight)"),
        ("announced.eq(~row.last)", "announced.eq(0)"),
        ("reading.last.eq(last & row_done)", "reading.last.eq(last)"),
    ),
    *mutants(
        "gateware", f"{HW}/lanes.py", f"{TESTS}/test_lanes.py",
        ("+ config.wire_registers + config.doubling_cycles", "+ config.wire_registers"),
        ("other.address(m, e, start, other.beat.address[e])", "address_1"),
    ),
    *mutants(
        "gateware", f"{HW}/lane_sums.py", f"{TESTS}/test_lanes.py",
        ("counted & controls[last].reference", "counted & controls[last - 1].reference"),
        ("Mux(idle_2, 0, row)", "row"),
        ("Mux(clear_3, 0, total)", "total"),
        ("else beat.clear | host.read", "else beat.clear"),
    ),
    *mutants(
        "gateware", f"{HW}/clusters.py", f"{TESTS}/test_clusters.py",
        ("hold if q % PAIR == 0 else 0", "0"),
        ("for cycle in range(2)", "for cycle in range(1)"),
        ("(self.passes.p.pixels >= q)", "1"),
    ),
    *mutants(
        "gateware", f"{HW}/pixel_walk.py", f"{TESTS}/test_walker.py::test_walk_matches_reference",
        ("layer.stored & ~pieces", "layer.stored"),
        ("at.cluster.eq(at.cluster + 1)", "at.cluster.eq(0)"),
    ),
    *mutants(
        "gateware", f"{HW}/quantizer_tables.py", f"{TESTS}/test_update.py",
        ("ram.other.address.eq(others[0])", "ram.other.address.eq(index)"),
        ("Mux(host.read | host.write, ", "Mux(host.read, "),
    ),
    *mutants(
        "gateware", f"{HW}/spans.py", f"{TESTS}/test_fetch.py::test_clusters_get_the_slots_of_their_windows",
        ("weight - shift]", "weight]"),
        ("below(config, right) & ~below(config, left)", "below(config, right)"),
        ("Mux(end < 0, 0, ", "Mux(0, 0, "),
    ),
    *mutants(
        "gateware", f"{HW}/segment_walk.py", f"{TESTS}/test_walker.py",
        ("first_pixel & (each.at.cluster == 0)", "first_pixel"),
        ("row_ends & last_pixel", "row_ends"),
        ("Mux(slots != 0, sum(strides), 0)", "sum(strides)"),
    ),
    *mutants(
        "gateware", f"{HW}/popcount.py", f"{TESTS}/test_popcount.py",
        ("(a & b) ^ (c & d)", "(a & b) | (c & d)"),
        ("(x & y) | (carry & (x ^ y))", "x & y"),
        ("add(m, low[1:], high[1:], carry)", "add(m, low[1:], high[1:], low[0])"),
    ),
    *mutants(
        "gateware", f"{HW}/accumulator.py", f"{TESTS}/test_accumulator.py",
        ("(0 if d else c)", "c"),
        ("(d if b else c)", "(c if b else d)"),
        ("accumulator[i], accumulator[i - 1]", "accumulator[i], accumulator[i]"),
        ("ones.single if len(ones.single)", "ones.single if 0"),
    ),
    *mutants(
        "gateware", f"{HW}/bank.py", f"{TESTS}/test_banks.py",
        ("(blocked | (over & ~self.hold)) & ~self.advance", "blocked & ~self.advance"),
        ("moves.eq(~blocked & ~self.hold)", "moves.eq(~self.hold)"),
        ("few.eq(current.count == 2)", "few.eq(current.count == 3)"),
        ("*below, low.any()", "*below"),
        ("self.valid & (written.some | self.last)", "self.valid & written.some"),
    ),
    *mutants(
        "gateware", f"{HW}/operand.py", f"{TESTS}/test_operand.py",
        ("begins & ~load.transposed", "begins & load.transposed"),
        ("Mux(begins, seen, was_full)", "was_full"),
        ("over.eq(last[\"groups\"])", "over.eq(last[\"steps\"])"),
        ("step_first.eq(group_first + load.input_group)", "step_first.eq(group_first)"),
        ("write.slot.eq(write.slot + 1)", "write.slot.eq(write.slot)"),
    ),
    *mutants(
        "gateware", f"{HW}/update_issue.py", UPDATE_TESTS,
        ("d.logits | ~d.stored | d.replay", "d.logits | d.replay"),
        ("remaining >= config.updates", "remaining > config.updates"),
        ("cooldown.eq(self.loop - 1)", "cooldown.eq(self.loop - 2)"),
        ("current.flag.eq(current.flag + map_rows(config, d))", "current.flag.eq(current.flag)"),
        ("current.initial.eq(0)", "current.initial.eq(current.initial)"),
    ),
    *mutants(
        "gateware", f"{HW}/neuron_unit.py", UPDATE_TESTS,
        ("self.can_fire & (sum_7(margin_7) >= 0)", "sum_7(margin_7) >= 0"),
        ("soft, high - 1, high", "soft, high - 2, high"),
        ("saturated_8.eq(saturated_8 | over)", "saturated_8.eq(over)"),
        ("self.reset == Reset.HARD", "self.reset == Reset.NONE"),
        ("x_7.bit_select(self.power, 1)", "x_7.bit_select(self.power ^ 1, 1)"),
    ),
    *mutants(
        "gateware", f"{HW}/spike_output.py", UPDATE_TESTS,
        ("chunk[8].used > k", "chunk[8].used >= k"),
        ("write & slots_data.any()", "write"),
    ),
    *mutants(
        "gateware", f"{HW}/events.py", f"{TESTS}/test_events.py",
        ("(event.x < self.width)", "(event.x <= self.width)"),
        ("before | (1 << event.polarity)", "1 << event.polarity"),
        ("self.rejected.eq(self.rejected + 1)", "self.rejected.eq(self.rejected)"),
        ("rest.eq(event.x + self.base)", "rest.eq(event.x)"),
    ),
    *mutants(
        "gateware", f"{HW}/link.py", f"{TESTS}/test_link.py",
        ("answer.eq(check.refused)\n            ", "answer.eq(status)\n            "),
        ("(place == CRC_BYTES) & crc.match", "place == CRC_BYTES"),
        ("position == PAYLOAD_LIMIT - 1", "position == PAYLOAD_LIMIT - 2"),
    ),
    *mutants(
        "gateware", f"{HW}/slip.py", f"{TESTS}/test_slip.py",
        ("item.data == END, ESC_END, ESC_ESC", "item.data == END, ESC_ESC, ESC_END"),
        ("escape.eq(~escaped & (self.i.payload == ESC))", "escape.eq(self.i.payload == ESC)"),
    ),
    *mutants(
        "gateware", f"{HW}/queue.py", f"{TESTS}/test_queue.py",
        ("self.i.ready.eq(~used.all())", "self.i.ready.eq(1)"),
        ("self.level.eq(used + 1)", "self.level.eq(used)"),
    ),
    *mutants(
        "gateware", f"{HW}/sequencer.py", f"{TESTS}/test_sequencer.py",
        ("(outer == 0) & ~resumed", "outer == 0"),
        ("self.program_address - 1), self.collected", "self.program_address), self.collected"),
        ("(row + 1)[: len(row)] == map_rows(config, d)", "row == map_rows(config, d)"),
        ("with m.If(self.move.last):", "with m.If(1):"),
    ),
    *mutants(
        "gateware", f"{HW}/request_check.py", f"{TESTS}/test_link.py",
        ("request.count > depth", "request.count >= depth"),
        ("request.address[width:].any() | ", ""),
        ("is_write & read_only", "is_write & 0"),
    ),
    *mutants(
        "gateware", f"{HW}/checksum.py", f"{TESTS}/test_checksum.py",
        ("part == 8 // self.bits - 1", "part == 0"),
    ),
    *mutants(
        "gateware", f"{HW}/host_access.py", f"{TESTS}/test_host_access.py",
        ("any()) & ~busy & (bus", "any()) & (bus"),
        ("~busy | (space is Space.REGISTERS)", "~busy"),
    ),
    *mutants(
        "gateware", f"{HW}/spike_memory.py", f"{TESTS}/test_spike_memory.py",
        ("chunk_mask << slot[:offset_width]", "1 << slot[:offset_width]"),
        ("Mux(self.event_read, self.event_address, self.host.address)", "self.host.address"),
    ),
    *mutants(
        "gateware", f"{HW}/row_flags.py", f"{TESTS}/test_row_flags.py",
        ("with m.Elif(self.clear_layer.enable)", "with m.Elif(self.clear_layer.enable & ~self.busy)"),
    ),
    *mutants(
        "gateware", f"{HW}/loaded_memory.py", f"{TESTS}/test_loaded_memory.py",
        ("Mux(self.busy, self.address, self.host.address)", "self.address"),
    ),
    *mutants(
        "gateware", f"{HW}/statistics.py", f"{TESTS}/test_sequencer.py",
        ("first.eq(~self.resume)", "first.eq(1)"),
        ("self.collected & ~counted", "0"),
    ),
    *mutants(
        "gateware", f"{HW}/map_places.py", f"{TESTS}/test_map_places.py",
        ("output_left.eq(self.time & layer.output_ring)", "output_left.eq(self.time)"),
        ("output_left.eq(output_left - turned)", "output_left.eq(output_left - 1)"),
        ("self.walked & d.streamed", "self.walked"),
    ),
    *mutants(
        "gateware", f"{HW}/segment_walk.py", f"{TESTS}/test_walker.py",
        ("left.eq(Mux(at.column < 0, 0, at.column))", "left.eq(at.column)"),
        ("Mux(last_group, layer.last_lanes, group_lanes)", "config.lanes"),
        ("Mux(d.shared, 0, group)", "group"),
        ("step_state.eq(step_state + layer.state_step)", "step_state.eq(step_state)"),
        ("& ~more_logits", ""),
        ("sample_logit + layer.groups), age.eq(0)]", "sample_logit + layer.groups)]"),
        ("sample_logit.eq(sample_logit + layer.groups)", "sample_logit.eq(sample_logit + 1)"),
        ("Mux(anew, 0, self.age)", "self.age"),
        ("group_state + ~pieces", "group_state + 1"),
        ("with m.If(pieces & new.row):", "with m.If(0):"),
    ),
    *mutants(
        "gateware", f"{HW}/window_place.py", f"{TESTS}/test_walker.py",
        ("Mux(over, 0, at.group_left - d.input_group)", "at.group_left - d.input_group"),
    ),
    *mutants(
        "gateware", f"{HW}/row_walk.py", f"{TESTS}/test_walker.py",
        ("found.delay > found.phase", "found.delay >= found.phase"),
        ("queue.level <= depth - IN_FLIGHT", "queue.level <= depth - IN_FLIGHT + 1"),
        ("& (found.rest.count != 0)", ""),
        ('m.next = "TERM" if several else "ROWS"', 'm.next = "ROWS"'),
    ),
    *mutants(
        "gateware", f"{HW}/update.py", UPDATE_TESTS,
        ("Mux(chunk[5].first_term, 0, read", "Mux(0, 0, read"),
        ("chunk[6].valid & ~chunk[6].last_term", "chunk[6].valid"),
        ("Mux(issued.stream, stream_address, read_address)", "read_address"),
    ),
    *mutants(
        "gateware", f"{HW}/logit_sums.py", UPDATE_TESTS,
        ("sum_3 << layer.power if", "sum_3 << (layer.power ^ 1) if"),
    ),
    *mutants(
        "gateware", f"{HW}/state_pack.py", UPDATE_TESTS,
        ("fresh_10.eq(next_first == 0)", "fresh_10.eq(0)"),
        ("upper_4.eq(first[-1])", "upper_4.eq(0)"),
        ("narrow_4.eq(~packed | (pack > 1))", "narrow_4.eq(~packed)"),
        ("word & ~packed_5.replicate(STATE_WIDTH)", "word"),
    ),
    *mutants(
        "gateware", f"{HW}/sum_read.py", UPDATE_TESTS,
        ("Mux(other, 0, value)", "value"),
    ),
    *mutants(
        "gateware", f"{HW}/core.py", "tests/sw/device/test_stop.py",
        ("m.submodules.banks = stoppable(banks)", "m.submodules.banks = banks"),
        ("stoppable(segments)", "segments"),
        ("stoppable(update)", "update"),
    ),
    *mutants("gateware", f"{HW}/identity.py", f"{TESTS}/test_identity.py",
             ("yield name, field.offset, shape.width", "yield field.offset, shape.width"),
             ('"reply": frame.reply_layout(),', "")),
    *mutants("gateware", f"{HW}/collisions.py", f"{TESTS}/test_collisions.py",
             ("Mux(collided, ~word, word)", "word"), ("write.addr == port.addr", "1")),
]
NETWORK = "sw/spikeplane/network"
MODEL_TESTS = "tests/sw/network/test_model.py"
GRAPH_TESTS = "tests/sw/network/test_random_graphs.py"
MODEL = [
    *mutants(
        "model", f"{HW}/neuron.py", f"{TESTS}/test_neuron.py",
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
DEVICE_TESTS = "tests/sw/device/test_driver.py tests/sw/device/test_stop.py"
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
MUTANTS = [*GATEWARE, *MODEL, *COMPILER, *DRIVER, *IMPORTING, *LIVE]

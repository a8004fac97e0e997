"""DMA engines: fresh transfers by hand, what misaligned ones cost, and commands that are none."""

import pytest

from pimlab.npu.dma import SLICE_SPAN, Command, tensor_dma
from pimlab.npu.sequencer import Sequencer

DMA = tensor_dma("rngd")
NETWORK = 32 * SLICE_SPAN


def command(source, target, read, write, packet=256, at=0, to=0):
    return Command(
        source=source,
        target=target,
        read=Sequencer(loops=(*read, (packet, 1)), packet=packet, base=at),
        write=Sequencer(loops=(*write, (packet, 1)), packet=packet, base=to),
    )


def loaded(turns, *, networks=2):
    """A command that reads 256 B a turn in order, and deals them to networks in turn."""
    write = ((turns // networks, 256), (networks, NETWORK))
    return command("hbm", "dm", ((turns, 256),), write)


def eight(apart, offset=0):
    """Eight engines that read 256 KiB each, `apart` bytes apart."""
    write = ((512, 256), (2, NETWORK))
    return [[command("hbm", "dm", ((1024, 256),), write, at=e * apart + offset)] for e in range(8)]


def test_a_request_a_cycle_after_500():
    assert DMA.transfer([[loaded(1000)]]).total == 1500


def test_one_network_alone_takes_twice_as_long():
    assert DMA.transfer([[loaded(1000, networks=1)]]).total == 2500


def test_networks_that_take_turns_too_seldom_are_as_slow_as_one():
    """A slice's queue holds two requests: after 64 of a network's 32 slices the engine waits."""
    seldom = command("hbm", "dm", ((1024, 256),), ((2, NETWORK), (512, 256)))
    often = command("hbm", "dm", ((1024, 256),), ((32, 8192), (2, NETWORK), (16, 256)))
    assert DMA.transfer([[seldom]]).total == 500 + 2 * 1024
    assert DMA.transfer([[often]]).total == 500 + 1024


def test_commands_of_an_engine_follow_each_other_and_engines_run_beside():
    one = DMA.transfer([[loaded(1000), loaded(500, networks=2)]])
    assert one.total == 2 * 500 + 1500
    two = DMA.transfer([[loaded(1000)], [loaded(500)]])
    assert (two.total, two.engines) == (1500, (1500, 1000))


def test_eight_engines_are_bound_by_the_channels():
    """8 x 1,024 requests of 256 B over 1.536 TB/s: 1,365 cycles, not 1,024."""
    assert DMA.transfer(eight(2**18)).total == pytest.approx(500 + 8 * 1024 * 256 / 1536, rel=1e-3)


def test_engines_that_read_four_rows_of_a_bank_at_once_wait_for_switches():
    """1 MiB apart, bits 21 and 22 of the address differ: rows of the same banks."""
    assert DMA.transfer(eight(2**20)).channels > 1.5 * DMA.transfer(eight(2**18)).channels


def test_a_packet_of_260_bytes_takes_two_requests():
    """The book: for 256 n + r bytes the cycles grow by n + 1."""
    wide = command("dm", "dm", ((100, 512),), ((50, 512), (2, NETWORK)), packet=256, to=2**20)
    odd = command("dm", "dm", ((100, 512),), ((50, 512), (2, NETWORK)), packet=264, to=2**20)
    assert DMA.engine(odd) == 2 * DMA.engine(wide)


def test_a_read_across_a_boundary_counts_twice_and_a_partial_write_50_times():
    there = DMA.transfer(eight(2**18, 8)).channels
    assert there == pytest.approx(2 * DMA.transfer(eight(2**18)).channels, rel=1e-2)
    back = command("dm", "hbm", ((512, 256), (2, NETWORK)), ((1024, 256),), packet=128)
    whole = command("dm", "hbm", ((512, 256), (2, NETWORK)), ((1024, 256),))
    assert DMA.transfer([[back]]).channels == pytest.approx(50 * DMA.transfer([[whole]]).channels)


def test_writes_that_split_words_of_a_bank_take_three_times_as_long():
    whole = command("dm", "dm", ((64, 512),), ((32, 512), (2, NETWORK)), to=2**20)
    split = command("dm", "dm", ((64, 512),), ((32, 512), (2, NETWORK)), to=2**20 + 4)
    assert (DMA.engine(whole), DMA.engine(split)) == (128 + 64, 128 + 3 * 64)


def test_streams_of_any_size_take_what_counted_transfers_take():
    """Eight engines in turn on one run of addresses, counted request by request: 500 cycles, then the
    channels' 1.536 TB/s; seconds() answers for sizes that nobody can list.
    """
    turns, bandwidth = 2048, 8 * DMA.hbm.bandwidth
    engines = [
        [
            command("hbm", "dm", ((turns, 2048),), ((turns // 2, 256), (2, NETWORK)),
                    at=256 * e, to=2 * e * NETWORK)
        ]
        for e in range(8)
    ]  # fmt: skip
    bits = 8 * 8 * turns * 256
    counted = DMA.transfer(engines).total * 1e-9
    assert DMA.seconds(bits, bandwidth, 1) == pytest.approx(counted, rel=1e-6)
    assert DMA.seconds(bits, bandwidth, 3) == pytest.approx(counted + 1e-6, rel=1e-6)
    assert DMA.seconds(2 * bits, bandwidth, 1) - counted == pytest.approx(bits / bandwidth)


def test_engines_bound_a_memory_that_is_faster_than_they_are():
    """8 engines x 256 B a cycle: 2,048 GB/s."""
    assert DMA.seconds(8 * 2048e9, 8 * 9e12, 0) == pytest.approx(1.0)


def test_30_bytes_a_cycle_from_the_host():
    assert DMA.host_cycles(3001) == 101


@pytest.mark.parametrize(
    ("packet", "message"),
    [(260, "is no multiple of 8 B"), (4104, "is more than 4096 B")],
)
def test_packets_that_are_none(packet, message):
    with pytest.raises(ValueError, match=message):
        DMA.transfer([[command("hbm", "dm", ((2, 8192),), ((2, 8192),), packet=packet)]])


def test_both_sides_move_the_same_bytes():
    one = Sequencer(loops=((4, 256), (256, 1)), packet=256)
    other = Sequencer(loops=((2, 256), (256, 1)), packet=256)
    with pytest.raises(ValueError, match="reads 4 packets of 256 B and writes 2 of 256 B"):
        Command(source="hbm", target="dm", read=one, write=other)
    with pytest.raises(ValueError, match="count bytes; one has 4 bits"):
        Command(source="hbm", target="dm", read=one.but(bits=4), write=one)


def test_engines_that_the_chip_has():
    with pytest.raises(ValueError, match=r"0 engines with commands, of 1..8"):
        DMA.transfer([])
    with pytest.raises(ValueError, match=r"9 engines"):
        DMA.transfer([[loaded(2)]] * 9)
    with pytest.raises(ValueError, match=r"'a100' is not known \(known: rngd\)"):
        tensor_dma("a100")

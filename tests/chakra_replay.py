"""A small simulator that replays Chakra traces, for the tests of what writes them."""

from pimlab.cluster import chakra


def seconds_of(node):
    return next(one.double_val for one in node.attr if one.name == "seconds")


def value_of(node, name):
    found = [one for one in node.attr if one.name == name]
    return getattr(found[0], found[0].WhichOneof("value")) if found else None


def replayed(paths):
    """When the last task of all chips ends: compute and collectives one after another on a chip,
    sends beside them one after another; a collective begins when all chips of its group are there.
    """
    nodes = [chakra.read(path)[1] for path in paths]
    ends = [{} for _ in paths]
    free = [{"chip": 0.0, "link": 0.0} for _ in paths]
    arrived, place = {}, [0] * len(paths)
    while any(place[i] < len(nodes[i]) for i in range(len(paths))):
        moved = False
        for i in range(len(paths)):
            while place[i] < len(nodes[i]):
                node = nodes[i][place[i]]
                ready = max([0.0, *(ends[i][n] for n in node.data_deps)])
                if node.type == chakra.RECEIVE:
                    key = value_of(node, "comm_src"), i, value_of(node, "comm_tag")
                    if key not in arrived:
                        break
                    ends[i][node.id] = max(ready, arrived[key])
                else:
                    where = "link" if node.type == chakra.SEND else "chip"
                    end = max(ready, free[i][where]) + seconds_of(node)
                    ends[i][node.id] = free[i][where] = end
                    if node.type == chakra.SEND:
                        arrived[i, value_of(node, "comm_dst"), value_of(node, "comm_tag")] = end
                place[i] += 1
                moved = True
        assert moved, "the trace waits for something that never comes"
    return max(max(one.values()) for one in ends)

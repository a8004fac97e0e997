"""Which currents flow in a crossbar whose wires have resistance? Exact nodal solutions, their noise
and their power.
"""

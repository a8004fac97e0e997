"""What do the three stages of the roadmap do to accuracy, energy and latency? The study behind
`make reproduce`.
"""

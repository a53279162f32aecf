"""Measurements of the pair: each file here with a `run` is one `python -m bench PART`.

Images and a real engine in, figures out. `rig` is what they run in, `report` what they write.
"""

"""Data to try the pipeline on: phantoms with a known truth, made-up people, two made-up hospitals.

``phantom``     a CT volume with lesions, and its segmentation as DICOM SEG; tests and benchmarks use it as well
``identities``  synthetic Swedish persons that look synthetic
``deliveries``  the demo's two deliveries: real scanner-made DICOM and phantoms, dressed with those identities

Belongs here: making input. Doesn't: running anything on it (``cli.demo``).
"""

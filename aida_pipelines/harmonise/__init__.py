"""Stage 3: what the scanners' dialects mean, and volumes that lie where the patient lay.

``stage``     reads `instances`; writes `series`, `studies`, `subjects`, `volumes`, `unmapped_terms`
``series``    one series → its rows and objects; what a worker does
``images``    rows of `instances` → what geometry needs, and the verdicts that headers alone decide
``geometry``  planes in space → slices in order, their distances, a verdict and its reason (pure)
``regrid``    voxels onto a straight, even grid where gantry tilt or slice thickness ask for it (pure)
``pixels``    encoded pixel data → numbers, each transfer syntax by one fixed decoder
``volume``    slices → voxels in hounsfield units or stored values, with their affine
``nifti``     voxels and affine → the bytes of a .nii.gz
``meaning``   body part, sequence type, plane, manufacturer, acquisition class, each with the rule that fired
``preview``   a contact sheet of a series as PNG

Belongs here: what can be said of de-identified images. Doesn't: raw data, keys, whether the data are good
enough for a release (``quality``).
"""

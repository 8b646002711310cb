"""What several stages need to know of DICOM, and no more than that.

``parse``   where the elements of a data set are in its bytes, and where its pixel data are
``encode``  elements back into bytes
``values``  bytes of an element as text, numbers, dates
``quiet``   pydicom without warnings and log lines, which may hold values
"""

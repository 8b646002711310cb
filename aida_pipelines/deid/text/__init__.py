"""Identifiers in free text: what people write where a form has no field for it.

One module for each kind of identifier; each only says where something stands in a text, not what is to be done.
"""

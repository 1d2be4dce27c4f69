"""Faces: the wire protocols through which clients reach the one engine."""

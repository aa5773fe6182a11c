"""Owns the snapshots where pods read them: which namespace has one, and that it stays as compiled.

Must not compile: webhook/controller/compiling does.
"""

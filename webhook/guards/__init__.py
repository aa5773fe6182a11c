"""The guards that the API server evaluates itself: ValidatingAdmissionPolicies, written in CEL.

They hold while our processes are down. Must not decide what injection does, nor call an API.
"""

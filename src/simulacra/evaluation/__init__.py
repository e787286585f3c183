"""Step 8, evaluation: two sets of events go in, numbers with errors come out; never a model.

Say what is wrong with generated showers by comparing them with reference showers: observables
(what is looked at), metrics (how two samples are compared), a suite (which with which) and a
verdict (the result, plain data that can be stored, drawn and compared without the showers).
"""

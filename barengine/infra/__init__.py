"""What must stand in the cluster before the engine runs: compared with what is there, and made.

Each of :mod:`topics`, :mod:`schemas`, :mod:`rights` and :mod:`ksqldb` looks at one kind of
resource and returns :class:`~barengine.infra.model.Findings`; :mod:`apply` does the steps in them.
Nothing is ever shrunk or deleted.
"""

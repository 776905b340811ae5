"""A cache in front of one region, with the behaviour and the wire protocol of DynamoDB Accelerator (DAX).

What: ``atoll dax`` answers the clients that AWS publishes for DAX. Eventually consistent reads come from its memory
where they can; everything else goes to the region's endpoint, and what is written passes through the cache on its way.

The pure core is :mod:`~atoll.dax.cache`, which knows nothing of bytes on a wire; :mod:`~atoll.dax.frames`,
:mod:`~atoll.dax.values`, :mod:`~atoll.dax.item_keys`, :mod:`~atoll.dax.expressions`, :mod:`~atoll.dax.requests` and
:mod:`~atoll.dax.responses` are the protocol without a socket; :mod:`~atoll.dax.connection` and
:mod:`~atoll.dax.upstream` are the two sockets; :mod:`~atoll.dax.accelerator` decides what is answered from where.
"""

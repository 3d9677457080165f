"""One hop, used at every level: an upper end that asks and a lower end that answers.

`Round` and `Member` are the two machines of one Ask; `events` and `effects` are what a round takes and what it wants done.
`Upper` and `Lower` hold all of them for one link, with the roster and the transfers. Nothing here does I/O: events and the time
go in, a `Batch` of things to store and then to do comes out.
"""

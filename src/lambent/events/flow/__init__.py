"""Flow control: one small rule per file, and what puts them together for a lane.

| file | the rule |
| --- | --- |
| `limit` | how many calls may run at once, learned from latency and errors |
| `circuit` | whether a function is called at all while it keeps failing |
| `budget` | how many retries there may be for the first attempts there were |
| `backoff` | when a failed item comes again |
| `deadline` | until when an item may be tried |
| `rate` | how many items may be taken per second |
| `places` | who gets the next place of a function that several mappings share |
| `storm` | whether more arrives than anyone can have meant |

Rules are plain functions of a state and what happened; they know no clock, no lane and no
store. `settings` is what can be set, `decisions` what was decided and why, `state` where
state that counts beyond one lane is kept, `parking` what is kept aside, and `regulator` asks
the rules on a lane's behalf.
"""

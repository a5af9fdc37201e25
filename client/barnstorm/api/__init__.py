"""The typed REST client: one `Connection` over two transports, and the calls of each kind of client.

`people.PeopleApi` serves SDK and CLI, `harvester.HarvesterApi` the harvester, `pilot.PilotApi` the pilot. Nothing here
imports `requests` but `requests_transport`, which the pilot leaves alone.
"""

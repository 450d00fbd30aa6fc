"""A mail server that takes everything: prints its port, then each mail as a line of JSON."""
import json
import sys
from email import message_from_bytes
from email.policy import default

from aiosmtpd.controller import Controller


class Sink:
    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=default)
        line = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": [[name, str(value)] for name, value in mail.items()],
            "text": mail.get_content(),
        }
        print(json.dumps(line), flush=True)
        return "250 taken"


class AnyPort(Controller):
    def _trigger_server(self):
        # The library looks whether the port answers that it was given, and 0 is none.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


controller = AnyPort(Sink(), hostname="127.0.0.1", port=0)
controller.start()
print(controller.port, flush=True)
sys.stdin.read()
controller.stop()

"""The wire protocol: typed messages of both directions, the codec, and schemas made from them.

It knows nothing of the server: bots and measuring clients use it from the other end.
"""

from greenroom.protocol.client_messages import ClientMessage
from greenroom.protocol.codec import InvalidMessage, UnknownType, decode, decode_server, encode
from greenroom.protocol.parts import Message, wire_type
from greenroom.protocol.server_messages import ServerMessage

__all__ = [
    "ClientMessage",
    "InvalidMessage",
    "Message",
    "ServerMessage",
    "UnknownType",
    "decode",
    "decode_server",
    "encode",
    "wire_type",
]

"""An application that speaks what WSGI cannot: WebSocket, and bodies of unknown length."""


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            await send({"type": "websocket.send", "text": "legacy " + message["text"]})
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body")
    names = {name.decode() for name, _ in scope["headers"]}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"legacy %d %s" % (length, b"chunked" if "transfer-encoding" in names else b"")})

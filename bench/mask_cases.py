"""Schemas as people send them, each with answers that satisfy it: the cases of bench_mask.py. Members stand in the schema's order."""


def obj(required=None, closed=True, **properties):
    schema = {"type": "object", "properties": properties, "required": list(properties) if required is None else required}
    return {**schema, "additionalProperties": False} if closed else schema


def arr(items, **words):
    return {"type": "array", "items": items, **words}


STRING, NUMBER, INTEGER, BOOLEAN = ({"type": t} for t in ("string", "number", "integer", "boolean"))
DATE = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
MONEY = {"type": "number", "minimum": 0, "multipleOf": 0.01}

LETTER = """Good morning, the washing machine that I bought from you on the 3rd of May has been leaking since Friday. I turned the water off, \
but the kitchen floor is already damp; please send somebody this week. My phone: 0171 555 0199. Yours, A. Müller"""

CASES = [
    ("weather tool", obj(["city"], city=STRING, unit={"enum": ["celsius", "fahrenheit"]}, days={"type": "integer", "minimum": 1, "maximum": 14}),
     [{"city": "Köln", "unit": "celsius", "days": 3}, {"city": "San Francisco"}]),
    ("search tool", obj(["query"], query={"type": "string", "minLength": 1, "maxLength": 200}, limit={"type": "integer", "minimum": 1, "maximum": 100},
                        sort={"enum": ["relevance", "newest", "oldest"]}, filters=arr(obj(field=STRING, op={"enum": ["=", "<", ">", "in"]}, value={}), maxItems=8)),
     [{"query": "refund policy for damaged goods", "limit": 10, "sort": "newest", "filters": [{"field": "country", "op": "in", "value": ["DE", "AT"]}]}]),
    ("transfer tool", obj(iban={"type": "string", "pattern": "^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$"}, amount=MONEY, currency={"enum": ["EUR", "USD", "GBP", "CHF"]},
                          purpose={"type": "string", "maxLength": 140}, urgent=BOOLEAN),
     [{"iban": "DE89370400440532013000", "amount": 1249.5, "currency": "EUR", "purpose": "Invoice 2024-0815, thank you", "urgent": False}]),
    ("invoice", obj(number={"type": "string", "pattern": "^[A-Z]{2}-\\d{4,8}$"}, issued=DATE, due=DATE,
                    seller=obj(name=STRING, vat_id=STRING, address=STRING), buyer=obj(name=STRING, vat_id={"type": ["string", "null"]}, address=STRING),
                    lines=arr(obj(description=STRING, quantity={"type": "number", "exclusiveMinimum": 0}, unit_price=MONEY, vat_rate={"enum": [0, 7, 19]}), minItems=1),
                    total=MONEY, currency={"const": "EUR"}),
     [{"number": "RE-20240815", "issued": "2024-08-15", "due": "2024-09-14",
       "seller": {"name": "Hansen & Söhne GmbH", "vat_id": "DE123456789", "address": "Hafenstraße 4, 20359 Hamburg"},
       "buyer": {"name": "Café Zentral", "vat_id": None, "address": "Markt 1, 04109 Leipzig"},
       "lines": [{"description": "Coffee beans, 1 kg", "quantity": 12, "unit_price": 18.9, "vat_rate": 7},
                 {"description": "Service of the grinder", "quantity": 1.5, "unit_price": 80, "vat_rate": 19}], "total": 365.58, "currency": "EUR"}]),
    ("intent", obj(intent={"enum": ["card_lost", "card_stolen", "pin_blocked", "transfer_failed", "refund", "balance", "close_account", "other"]},
                   confidence={"type": "number", "minimum": 0, "maximum": 1}),
     [{"intent": "transfer_failed", "confidence": 0.87}]),
    ("enum of 200", obj(code={"enum": [f"{a}{n:02d}.{n % 10}" for a in "ABCDEFGHIJ" for n in range(20)]}), [{"code": "G17.7"}, {"code": "A00.0"}]),
    ("sentiment", obj(label={"enum": ["positive", "neutral", "negative"]}, reason={"type": "string", "maxLength": 300}),
     [{"label": "negative", "reason": "The writer complains about a delay of two weeks and asks for the money back."}]),
    ("ticket", obj(subject={"type": "string", "minLength": 3, "maxLength": 80}, body=STRING, priority={"enum": ["low", "normal", "high"]},
                   tags=arr({"type": "string", "pattern": "^[a-z][a-z0-9-]*$"}, maxItems=5)),
     [{"subject": "Washing machine leaks", "body": LETTER, "priority": "high", "tags": ["appliance", "water-damage", "callback"]}]),
    ("person", obj(["name"], name=STRING, email={"type": "string", "pattern": r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$"}, phone={"type": "string", "pattern": r"^\+?[0-9 ()-]{6,20}$"},
                   age={"type": "integer", "minimum": 0, "maximum": 130}, address=obj(street=STRING, city=STRING, zip={"type": "string", "pattern": "^[0-9]{5}$"})),
     [{"name": "Anna Müller", "email": "anna.mueller@example.org", "phone": "+49 171 5550199", "age": 41,
       "address": {"street": "Hafenstraße 4", "city": "Hamburg", "zip": "20359"}}]),
    ("appointment", obj(title=STRING, start={"type": "string", "format": "date-time"}, end={"type": "string", "format": "date-time"},
                        attendees=arr({"type": "string", "format": "email"}, minItems=1), id={"type": "string", "format": "uuid"}),
     [{"title": "Quarterly review", "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T10:30:00Z", "attendees": ["a@example.com", "b@example.org"],
       "id": "6f1c2a4e-9b1d-4c3f-8a77-0d5e2b9c1f00"}]),
    ("matrix", obj(name=STRING, rows=arr(arr(NUMBER, minItems=3, maxItems=3), minItems=1)),
     [{"name": "rotation", "rows": [[0.866, -0.5, 0.0], [0.5, 0.866, 0.0], [0.0, 0.0, 1.0]]}]),
    ("bounding boxes", arr(obj(label={"enum": ["scratch", "dent", "stain"]}, box=arr({"type": "integer", "minimum": 0, "maximum": 4096}, minItems=4, maxItems=4),
                               score={"type": "number", "minimum": 0, "maximum": 1})),
     [[{"label": "dent", "box": [102, 44, 180, 97], "score": 0.91}, {"label": "stain", "box": [0, 0, 64, 4096], "score": 0.4}]]),
    ("tree", {"$ref": "#/$defs/node", "$defs": {"node": obj(["name"], name=STRING, children=arr({"$ref": "#/$defs/node"}))}},
     [{"name": "root", "children": [{"name": "left", "children": [{"name": "leaf"}]}, {"name": "right"}]}]),
    ("event, one of", {"anyOf": [obj(kind={"const": "click"}, x=INTEGER, y=INTEGER), obj(kind={"const": "key"}, code={"type": "string", "maxLength": 12}),
                                 obj(kind={"const": "scroll"}, delta=NUMBER)]},
     [{"kind": "key", "code": "ArrowLeft"}, {"kind": "scroll", "delta": -120.5}]),
    ("action, one of tagged", {"oneOf": [obj(action={"const": "answer"}, text=STRING, sources=arr(INTEGER)), obj(action={"const": "ask"}, question=STRING),
                                         obj(action={"const": "hand_over"}, reason={"type": ["string", "null"]})]},
     [{"action": "answer", "text": "The policy pays up to 5,000 euros for damage by water from a pipe.", "sources": [2, 7]}]),
    ("medical codes", obj(codes=arr(obj(code={"type": "string", "pattern": "^[A-TV-Z][0-9][0-9AB](\\.[0-9A-TV-Z]{1,4})?$"}, evidence=STRING, certain=BOOLEAN), maxItems=20)),
     [{"codes": [{"code": "J45.901", "evidence": "wheezing since the morning, known asthma", "certain": True}, {"code": "I10", "evidence": "BP 165/95", "certain": False}]}]),
    ("string map", {"type": "object", "additionalProperties": STRING}, [{"de": "Guten Morgen", "fr": "Bonjour", "it": "Buongiorno", "日本": "おはよう"}]),
    ("pattern map", {"type": "object", "patternProperties": {"^s_": STRING, "^n_": NUMBER}, "additionalProperties": False}, [{"s_name": "pump 3", "n_pressure": 4.25, "n_rpm": 2950}]),
    ("open object", obj(closed=False, id=INTEGER, kind=STRING), [{"id": 7, "kind": "note", "extra": {"deep": [1, 2, {"x": None}]}, "more": "text"}]),
    ("free JSON", {"type": "object"}, [{"title": LETTER[:80], "n": [1, 2.5, -3e4, True, None], "inner": {"a": {"b": {"c": "d\n\"quoted\" \u00e9"}}}}]),
    ("letter", obj(salutation={"type": "string", "maxLength": 60}, body={"type": "string", "maxLength": 2000}), [{"salutation": "Dear Ms Müller,", "body": LETTER * 2}]),
    ("SQL filter", obj(table={"type": "string", "pattern": "^[a-z_]{1,30}$"}, where=arr(obj(column={"type": "string", "pattern": "^[a-z_]{1,30}$"},
                       op={"enum": ["=", "!=", "<", "<=", ">", ">=", "like", "in"]}, value={"anyOf": [STRING, NUMBER, BOOLEAN, {"type": "null"}, arr({"anyOf": [STRING, NUMBER]})]}))),
     [{"table": "order_items", "where": [{"column": "price", "op": ">=", "value": 9.99}, {"column": "status", "op": "in", "value": ["open", "sent"]}]}]),
]

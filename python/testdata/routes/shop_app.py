"""A Flask application with every kind of rule."""

from flask import Blueprint, Flask
from flask.views import MethodView
from werkzeug.routing import BaseConverter, IntegerConverter, Rule

app = Flask(__name__)


class Even(BaseConverter):
    regex = r"\d+"

    def to_python(self, value):
        from werkzeug.routing import ValidationError

        if int(value) % 2:
            raise ValidationError
        return int(value)


class Codes(BaseConverter):
    regex = r"[A-Z]{2,3}(?:-[0-9]+)?"


class Two(BaseConverter):
    regex = r"[^/]+/[^/]+"


class Look(BaseConverter):
    regex = r"(?!x)[a-z]+"


class Hex(IntegerConverter):
    regex = "[0-9a-f]+"


app.url_map.converters.update(even=Even, code=Codes, two=Two, look=Look, hex=Hex)


def answer(**kwargs):
    return "ok"


def add(rule, endpoint, **options):
    app.add_url_rule(rule, endpoint, answer, **options)


add("/", "index")
add("/invoices", "invoices")
add("/invoices/", "invoices-slash", methods=["POST"])
add("/invoices/<int:id>", "invoice")
add("/invoices/<int:id>", "invoice-change", methods=["PUT", "PATCH"])
add("/invoices/<id>", "invoice-named", methods=["GET", "DELETE"])
add("/invoices/new", "invoice-new", methods=["POST"])
add("/branch/", "branch")
add("/branch/<name>/", "branch-name")
add("/loose/", "loose", strict_slashes=False)
add("/loose/<name>/", "loose-name", strict_slashes=False)
add("/leaf", "leaf", strict_slashes=False)
add("/leaf/<int:n>", "leaf-number", strict_slashes=False, methods=["POST"])
add("/limits/<int(min=3, max=70):n>", "limit")
add("/limits/<int(fixed_digits=4):n>/year", "digits")
add("/limits/<int(signed=True, max=5):n>/signed", "signed")
add("/limits/<float(min=0.5, max=9.25):f>", "float")
add("/limits/<float(signed=True):f>/any", "float-signed")
add("/limits/<int(max=3):a>/<b>", "limit-first")
add("/text/<string(length=2):lang>", "lang")
add("/text/<string(minlength=3, maxlength=5):s>", "short")
add("/text/<string(minlength=6):s>/x", "long")
add("/any/<any(about, help, 'a+b', imprint):page>", "any")
add("/any/<page>/", "any-other")
add("/files/<path:file>", "file")
add("/files/<path:file>/edit", "edit")
add("/files/<path:file>/list/", "file-list")
add("/files/<path:file>/meta/", "file-meta", strict_slashes=False)
add("/<path:wiki>/history", "history", methods=["GET"])
add("/uuid/<uuid:key>", "uuid")
add("/x-<a>.<b>/y", "parts")
add("/x-<int:a>.<b>/y", "parts-int")
add("/x-fixed.z/y", "parts-static", methods=["POST"])
add("/even/<even:n>", "even")
add("/code/<code:c>", "code")
add("/two/<two:t>/end", "two")
add("/look/<look:w>", "look")
add("/hex/<hex:h>", "hex")
add("/keep//double", "keep", merge_slashes=False)
add("/keep/<a>//<b>", "keep-two", merge_slashes=False)
add("/merged//double", "merged")
add("/users/", "users", defaults={"page": 1})
add("/users/page/<int:page>", "users")
add("/gone", "gone", redirect_to="/invoices")
add("/alias", "aliased")
add("/alias-of", "aliased", alias=True)
add("/k\u00e4se/<n>", "cheese")
add("/semi;colon/<x>", "semicolon")
add("/dots/../up", "dots")
app.url_map.add(Rule("/socket", endpoint="socket", websocket=True))
app.url_map.add(Rule("/built", endpoint="built", build_only=True))
add("/elsewhere", "elsewhere", subdomain="api")


class Notes(MethodView):
    def get(self, id):
        return "ok"

    def delete(self, id):
        return "ok"


notes = Blueprint("notes", __name__, url_prefix="/notes")
notes.add_url_rule("/<int:id>/", view_func=Notes.as_view("one"))
notes.add_url_rule("/<int:id>/parts/<part>", "part", answer)
nested = Blueprint("nested", __name__, url_prefix="/<int:id>/nested")
nested.add_url_rule("/", "list", answer, methods=["GET", "POST"])
notes.register_blueprint(nested)
app.register_blueprint(notes)


@app.before_request
def nothing():
    pass


app.config["REPLANK_PASSIVE"] = ["shop_app.nothing"]

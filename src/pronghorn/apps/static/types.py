"""Content-Type by name, from a table of our own: /etc/mime.types differs from host to host (S15)."""

from collections.abc import Mapping

UNKNOWN = "application/octet-stream"

_TABLE = {
    "text/html": "html htm",
    "text/css": "css",
    "text/javascript": "js mjs cjs",
    "text/plain": "txt text log conf ini asc",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "text/markdown": "md markdown",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    "text/vtt": "vtt",
    "text/xml": "xsl xslt",
    "text/x-python": "py",
    "text/x-c": "c h",
    "application/json": "json map topojson",
    "application/ld+json": "jsonld",
    "application/geo+json": "geojson",
    "application/manifest+json": "webmanifest",
    "application/xml": "xml",
    "application/xhtml+xml": "xhtml",
    "application/atom+xml": "atom",
    "application/rss+xml": "rss",
    "application/rtf": "rtf",
    "application/yaml": "yaml yml",
    "application/toml": "toml",
    "application/sql": "sql",
    "application/wasm": "wasm",
    "application/pdf": "pdf",
    "application/postscript": "ps eps ai",
    "application/epub+zip": "epub",
    "application/zip": "zip whl",
    "application/gzip": "gz tgz",
    "application/zstd": "zst",
    "application/x-bzip2": "bz2",
    "application/x-xz": "xz",
    "application/x-7z-compressed": "7z",
    "application/vnd.rar": "rar",
    "application/x-tar": "tar",
    "application/java-archive": "jar",
    "application/vnd.android.package-archive": "apk",
    "application/x-sh": "sh",
    "application/ogg": "ogx",
    "application/vnd.apple.mpegurl": "m3u8",
    "application/dash+xml": "mpd",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.ms-fontobject": "eot",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.sqlite3": "sqlite sqlite3",
    "font/woff2": "woff2",
    "font/woff": "woff",
    "font/ttf": "ttf",
    "font/otf": "otf",
    "font/collection": "ttc",
    "image/png": "png",
    "image/apng": "apng",
    "image/jpeg": "jpg jpeg jpe jfif",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/jxl": "jxl",
    "image/heic": "heic",
    "image/svg+xml": "svg",
    "image/bmp": "bmp",
    "image/tiff": "tif tiff",
    "image/vnd.microsoft.icon": "ico",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg oga opus",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/midi": "mid midi",
    "audio/webm": "weba",
    "video/mp4": "mp4 m4v",
    "video/webm": "webm",
    "video/ogg": "ogv",
    "video/quicktime": "mov",
    "video/matroska": "mkv",
    "video/x-msvideo": "avi",
    "video/mpeg": "mpeg mpg",
    "video/mp2t": "ts m2ts",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
    "model/stl": "stl",
    "model/obj": "obj",
}

BY_ENDING = {"." + ending: kind for kind, endings in _TABLE.items() for ending in endings.split()}

_NAMES = {"apple-app-site-association": "application/json", "crossdomain.xml": "text/x-cross-domain-policy"}

_PACKED = ("application/gzip", "application/zip", "application/zstd", "application/x-", "application/vnd.")
_OPEN = (
    "image/svg+xml",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "audio/wav",
    "model/",
    "font/ttf",
    "font/otf",
)


def content_type(name: str, more: Mapping[str, str], charset: str) -> str:
    """The Content-Type of a file by its name, without a directory. `more` comes first (option mimetypes)."""
    lower = name.lower()
    ending = lower[lower.rfind(".") :] if "." in lower else ""
    kind = more.get(lower) or more.get(ending) or _NAMES.get(lower) or BY_ENDING.get(ending, UNKNOWN)
    if kind.startswith("text/") and "charset" not in kind.lower() and charset:
        kind = f"{kind}; charset={charset}"
    return kind


def is_packed(name: str) -> bool:
    """Whether files of this type are compressed already, so that compressing them again is in vain."""
    kind = content_type(name, {}, "")
    if kind.startswith(_OPEN) or kind in ("application/x-tar", "application/x-sh", "application/vnd.sqlite3"):
        return False
    if kind.startswith(("image/", "audio/", "video/", "font/")):
        return True
    ending = name.lower()[name.rfind(".") :]
    return kind.startswith(_PACKED) or ending in (".br", ".epub", ".jar", ".pdf")

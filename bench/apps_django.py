"""A page made with Django (pages.py): its ORM, its template language, its default middleware."""

from __future__ import annotations

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.urls import path

from bench.pages import ARTICLES, DATABASE, TEMPLATE

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="not a secret",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(DATABASE),
            "CONN_MAX_AGE": None,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)
django.setup()


class Reader(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "bench"
        db_table = "reader"


class Article(models.Model):
    title = models.TextField()
    text = models.TextField()

    class Meta:
        app_label = "bench"
        db_table = "article"


class Tag(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "bench"
        db_table = "tag"


class Comment(models.Model):
    text = models.TextField()

    class Meta:
        app_label = "bench"
        db_table = "comment"


template = Engine().from_string(TEMPLATE)


def page(request: HttpRequest) -> HttpResponse:
    values = {
        "reader": Reader.objects.get(id=1),
        "articles": Article.objects.order_by("-id")[:ARTICLES],
        "tags": Tag.objects.order_by("name"),
        "comment": Comment.objects.order_by("-id")[0],
        "total": Article.objects.count(),
    }
    return HttpResponse(template.render(Context(values)))


urlpatterns = [path("", page)]
app = get_wsgi_application()

from django.db import models


class StateField(models.Field):
    """A column of the enum that the shop has made."""

    def db_type(self, connection):
        return "invoice_state"


class Customer(models.Model):
    name = models.CharField(max_length=80)
    email = models.CharField(max_length=120, null=True)

    class Meta:
        managed = False
        db_table = "customers"


class Invoice(models.Model):
    customer = models.ForeignKey(Customer, models.DO_NOTHING)
    number = models.CharField(max_length=20)
    state = StateField(db_default="open")
    cents = models.BigIntegerField(db_default=0)
    paid_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "invoices"
        indexes = [models.Index("paid_at", name="invoices_paid_at", condition=models.Q(paid_at__isnull=False))]
        constraints = [
            models.CheckConstraint(condition=models.Q(cents__gte=0), name="invoices_cents_check"),
            models.UniqueConstraint(fields=["number"], name="invoices_number_key"),
        ]

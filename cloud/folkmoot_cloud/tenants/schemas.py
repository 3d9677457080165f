"""What the API says about tenants."""

from datetime import datetime

from folkmoot_cloud.words import View


class TenantView(View):
    """Whom everything belongs to."""

    id: str
    name: str
    created_at: datetime

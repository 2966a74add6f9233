// Features in the newest shape, as answers hold them and as they are expanded.

export const MESSAGES = {
  id: 'messages',
  name: 'Messages',
  type: 'metered',
  consumable: true,
  event_names: ['message.sent'],
  archived: false,
}

export const SEATS = {
  id: 'seats',
  name: 'Seats',
  type: 'metered',
  consumable: false,
  event_names: [],
  display: { singular: 'seat', plural: 'seats' },
  archived: true,
}

export const SSO = { id: 'sso', name: 'SSO', type: 'boolean', consumable: false, event_names: [], archived: false }

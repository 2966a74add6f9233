import type * as z from 'zod'
import { withNewcomer } from '../../operations/ensure.ts'
import { type TokensRequest, trackTokens } from '../../operations/tokens.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { trackTokensInput } from '../wire/tokens.ts'
import { showTracked } from './show.ts'
import { newcomerOf, trackKey, trackStatus } from './usage.ts'

export const tokens: readonly Endpoint[] = [
  endpoint({
    operation: 'balances.track_tokens',
    shape: 'track',
    input: trackTokensInput,
    kind: 'write',
    bodyKey: trackKey,
    run(context, input) {
      const request = tokensRequest(input, input.async !== true)
      const act = () => trackTokens(context, request)
      return input.auto_create ? withNewcomer(context, request, newcomerOf(input), act) : act()
    },
    show: showTracked,
    status: trackStatus,
  }),
]

/** @param tellsBalance whether the answer shows what is left. */
export function tokensRequest(input: z.infer<typeof trackTokensInput>, tellsBalance: boolean): TokensRequest {
  return {
    customerId: input.customer_id,
    entityId: input.entity_id,
    featureId: input.feature_id,
    modelId: input.model_id,
    counts: input.counts,
    properties: input.properties ?? {},
    timestamp: input.timestamp,
    behavior: input.overage_behavior ?? 'cap',
    recorded: true,
    tellsBalance,
  }
}
